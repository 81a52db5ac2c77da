import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from incident.client import Client
from tests.incident.a_daemon import Daemon, running, workspace
from tests.incident.history.conftest import result


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """With a journey of twenty runs, the last one down and rude about it."""
    folder = tmp_path_factory.mktemp("history")
    with running(workspace(folder / "shop"), folder / "state") as started:
        at = datetime.now(UTC) - timedelta(minutes=30)
        runs = [result(f"r{n}", at + timedelta(minutes=n), "down" if n == 19 else "up", slo=0.9) for n in range(20)]
        runs[-1]["steps"][1]["seen"] = "\x1b[31mbroken"
        os.environ["XDG_STATE_HOME"], before = str(folder / "state"), os.environ.get("XDG_STATE_HOME")
        try:
            Client(started.url).post("/api/v1/results", runs)
        finally:
            os.environ.pop("XDG_STATE_HOME")
            os.environ.update({} if before is None else {"XDG_STATE_HOME": before})
        yield started


def show(daemon: Daemon, *words: str, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    """Piped, as a script would read it."""
    state = str(daemon.workspace.parent / "state")
    env = {**os.environ, "XDG_STATE_HOME": state, "SHOPWATCH_URL": daemon.url, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "cli", "probe", "show", *words]
    return subprocess.run(command, env=env, capture_output=True, encoding="utf-8", check=False)


def test_a_journey_is_shown_with_its_failures_and_its_budget(daemon: Daemon) -> None:
    told = show(daemon, "checkout")
    assert told.returncode == 0, told.stderr
    assert "95.000% of 20 runs" in told.stdout
    assert "1 times pay, status" in told.stdout
    assert "50.0% left: 1 runs down in 30 days, 2.0 allowed by 90%" in told.stdout
    assert "r19" in told.stdout
    assert "█" in told.stdout
    assert "\x1b" not in told.stdout


def test_a_terminal_of_little_learning_gets_plain_characters(daemon: Daemon) -> None:
    told = show(daemon, "checkout", "--since", "30d", encoding="ascii")
    assert told.returncode == 0, told.stderr
    assert "█" not in told.stdout
    assert "#" in told.stdout


def test_programs_get_one_document(daemon: Daemon) -> None:
    found = json.loads(show(daemon, "checkout", "--json").stdout)
    assert (found["runs"], found["step"], len(found["failures"])) == (20, "hour", 1)
    assert sum(point["runs"] for point in found["history"]) == 20


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nothing"], 4, "no run of a journey 'nothing' is known"),
        (["checkout", "--location", "oslo"], 4, "at location 'oslo'"),
        (["checkout", "--since", "soon"], 2, "neither a duration"),
        (["checkout", "--since", "2999-01-01"], 2, "still to come"),
    ],
)
def test_what_is_not_there_is_said(daemon: Daemon, words: list[str], code: int, said: str) -> None:
    told = show(daemon, *words)
    assert told.returncode == code
    assert said in told.stderr


def test_the_other_commands_of_its_group_do_not_load_it() -> None:
    code = "import cli, sys; cli.shopwatch(['probe', 'list', '--help'], standalone_mode=False); print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "probes.commands" in told.stdout.split()
    assert [name for name in told.stdout.split() if name.startswith("incident")] == []
