"""A real `shopwatch run` whose files change under it. Nothing is restarted, nothing is lost."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from incident.client import Client
from tests.incident.a_daemon import Daemon, running
from tests.incident.receiver import Receiver, receiving

SETTINGS = """\
shop: {name: Example Shop, languages: [en]}
services:
  login: {title: Sign-in}
  payment: {title: Payment}
channels:
  first: {webhook: "FIRST"}
  second: {webhook: "SECOND"}
routes: [{channels: [ROUTE]}]
"""
Receivers = tuple[Receiver, Receiver]
JOURNEY = """\
journey: NAME
service: payment
every: 300ms
alert: {after: 1 of 1, confirm: 50ms}
base: BASE
steps: [{get: /-/healthy, expect: {status: STATUS}}]
"""


@pytest.fixture
def receivers() -> Iterator[tuple[Receiver, Receiver]]:
    with receiving() as first, receiving() as second:
        yield first, second


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receivers: Receivers) -> Iterator[Daemon]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("SHOPWATCH_URL", "SHOPWATCH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "shop/probes").mkdir(parents=True)
    settings(tmp_path / "shop", receivers, "first")
    with running(tmp_path / "shop", tmp_path / "state") as started:
        yield started


def settings(folder: Path, receivers: Receivers, route: str, more: str = "") -> None:
    text = SETTINGS.replace("FIRST", receivers[0].url).replace("SECOND", receivers[1].url)
    (folder / "shopwatch.yaml").write_text(text.replace("ROUTE", route) + more)


def journey(daemon: Daemon, name: str, status: int | str = 200) -> None:
    text = JOURNEY.replace("NAME", name).replace("STATUS", str(status)).replace("BASE", daemon.url)
    (daemon.workspace / f"probes/{name}.yaml").write_text(text)


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def logged(daemon: Daemon) -> list[dict[str, Any]]:
    return [json.loads(line) for line in daemon.log.read_text().splitlines()]


def text_of(url: str) -> str:
    with urlopen(url, timeout=60) as answer:
        body: str = answer.read().decode()
        return body


def outcomes(client: Client) -> dict[str, str]:
    return {row["journey"]: row["outcome"] for row in client.get("/api/v1/journeys")}


def test_journeys_and_routes_change_while_it_runs_and_a_bad_file_changes_nothing(
    daemon: Daemon, receivers: Receivers
) -> None:
    client = Client(daemon.url)
    wait_for(lambda: any(line["event"] == "prober started" for line in logged(daemon)))
    children = daemon.children()

    journey(daemon, "shopfront")  # by its file alone
    wait_for(lambda: outcomes(client) == {"shopfront": "up"})

    settings(daemon.workspace, receivers, "second", "people: {ada: {name: Ada}}\n")
    journey(daemon, "payments", status=418)
    os.kill(daemon.process.pid, signal.SIGHUP)
    wait_for(lambda: receivers[1].received)
    assert receivers[0].received == []
    [opened] = client.get("/api/v1/incidents")

    (daemon.workspace / "probes/shopfront.yaml").write_text("journey: shopfront\nservice: payment\nevery: soon\n")
    settings(daemon.workspace, receivers, "first")
    wait_for(lambda: "probes/shopfront.yaml:3" in text_of(f"{daemon.url}/-/ready"))
    assert "shopwatch_config_last_reload_successful 0.0" in metrics(daemon)
    assert client.get("/api/v1/incidents")[0]["status"] == opened["status"]
    assert outcomes(client)["shopfront"] == "up"

    journey(daemon, "shopfront")
    wait_for(lambda: text_of(f"{daemon.url}/-/ready") == "Shopwatch is ready.\n")
    assert "shopwatch_config_last_reload_successful 1.0" in metrics(daemon)
    assert daemon.children() == children, "nothing was restarted"
    assert len(client.get("/api/v1/incidents")) == 1, "the alert that fired before is no news"


def metrics(daemon: Daemon) -> str:
    request = Request(f"{daemon.url}/metrics", headers={"Authorization": f"Bearer {Client(daemon.url).token}"})
    with urlopen(request, timeout=60) as answer:
        body: str = answer.read().decode()
        return body


def post(url: str, token: str | None) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urlopen(Request(url, method="POST", headers=headers), timeout=60) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_an_administrator_may_ask_for_it_and_nobody_else(daemon: Daemon, receivers: Receivers) -> None:
    client = Client(daemon.url)
    address = f"{daemon.url}/-/reload"
    commander = client.post("/api/v1/tokens", {"name": "bob", "role": "commander"})["token"]
    assert [post(address, token)[0] for token in (None, "nobody", commander)] == [401, 401, 403]

    settings(daemon.workspace, receivers, "nowhere")
    status, text = post(address, client.token)
    assert (status, "shopwatch.yaml:8: routes[0].channels[0]" in text) == (500, True)

    more = "listen: {port: 9999}\nintake: {sources: [{name: prometheus, token: t0ken}]}\n"
    settings(daemon.workspace, receivers, "first", more)
    assert post(address, client.token) == (200, "The configuration was reloaded.\n")
    assert "listen.port has changed; it holds from the next start on" in [line["event"] for line in logged(daemon)]
    assert post(f"{daemon.url}/api/v2/alerts", None)[0] == 401, "a source's token is asked for from now on"
