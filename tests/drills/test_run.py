"""`shopwatch drill run` against a practice shop and a daemon, as a user runs it, and what its responder says."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.practice.launch import SHOP, Practice
from drills.responder import prepared
from incident.client import Client
from runbooks.document import EXPECTED_SECTIONS
from runbooks.library import Library
from tests.incident.a_daemon import Daemon, environment, running, workspace

JOURNEY = """
journey: home
service: login
every: 1s
base: ${SHOP_URL}
steps: [{get: /, expect: {status: 200}}]
alert: {after: 1 of 1, clear: 1, severity: SEV2}
"""
DRILL = """
drill: pages-fail
title: Every page fails
target: practice
hypothesis: [home]
faults: [{shop: {error_rate: 1}, lease: 5m, proves: {journey: home, is: down}}]
expect: {alert: {service: login, within: 60s}, recovery: {within: 60s}}
responder: RESPONDER
"""
OPENING = "```update\npublic: true\nstatus: investigating\nen: Pages fail.\n```\n"


def runbook(folder: Path, updates: str) -> None:
    (folder / "runbooks").mkdir(parents=True, exist_ok=True)
    titles = (*EXPECTED_SECTIONS, "Communication")
    sections = "".join(f"## {title}\n\n{updates if title == 'Communication' else 'text'}\n\n" for title in titles)
    head = "---\nrunbook: pages\ntitle: Pages fail\nmatches: ['journey=\"home\"']\n---\n"
    (folder / "runbooks" / "pages.md").write_text(head + sections)


class Stage:
    """A practice shop and a daemon that watches it."""

    def __init__(self, practice: Practice, daemon: Daemon, state: Path) -> None:
        self.daemon = daemon
        self.client = Client(daemon.url)
        self.env = environment(state) | {"SHOP_URL": practice.urls["shop"], "PRACTICE_TOKEN": practice.token}

    def drill(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-P", "-m", "cli", "-w", str(self.daemon.workspace), "drill", "run", "pages-fail"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([*command, "--url", self.daemon.url], text=True, env=self.env, **pipes)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Stage]:
    folder = workspace(tmp_path / "shop")
    for kind, text in (("probes", JOURNEY), ("drills", DRILL.replace("RESPONDER", request.param))):
        (folder / kind).mkdir()
        (folder / kind / "one.yaml").write_text(text)
    runbook(folder, OPENING)
    with asyncio.Runner() as runner:
        practice = Practice(SHOP, ports={})
        runner.run(practice.__aenter__())
        try:
            monkeypatch.setenv("SHOP_URL", practice.urls["shop"])
            monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
            with running(folder, tmp_path / "state") as daemon:
                yield Stage(practice, daemon, tmp_path / "state")
        finally:
            runner.run(practice.__aexit__(None, None, None))


@pytest.mark.parametrize("stage", ["auto"], indirect=True)
def test_a_drill_passes_although_its_runbook_has_no_closing_words(stage: Stage) -> None:
    process = stage.drill()
    out, errors = process.communicate(timeout=150)
    assert process.returncode == 0, out + errors
    assert "passed" in out
    said = [event["text"] for event in stage.client.get("/api/v1/incidents/1/timeline") if event["kind"] == "update"]
    assert said == ["Pages fail.", "It is over."]


@pytest.mark.parametrize("stage", ["people"], indirect=True)
def test_a_drill_that_is_stopped_by_hand_ends_its_window_and_has_a_scorecard(stage: Stage) -> None:
    process = stage.drill()
    end = time.monotonic() + 60
    while not stage.client.get("/api/v1/incidents"):
        assert time.monotonic() < end, "no incident opened"
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the fault is out" in errors
    [run] = stage.client.get("/api/v1/drills")
    assert run["closed_at"]
    assert run["scorecard"]["verdict"] == "aborted"


def test_words_for_the_beginning_are_never_said_at_the_end(tmp_path: Path) -> None:
    runbook(tmp_path, OPENING)
    library = Library(tmp_path)
    opening = prepared(library, ["pages"], first=True)
    assert opening is not None and opening.en == "Pages fail."
    assert prepared(library, ["pages"], first=False) is None
    assert prepared(library, ["pages", "login-failure"], first=False) is None
    closing = prepared(library, ["login-failure"], first=False)
    assert closing is not None and closing.status == "resolved"
