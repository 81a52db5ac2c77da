import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import cli
from incident.client import Client
from incident.location_commands import show_locations
from tests.incident.a_daemon import Daemon, running, workspace

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("locations")
    with running(workspace(folder / "shop"), folder / "state") as started:
        yield started


@pytest.fixture
def shopwatch(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("XDG_STATE_HOME", str(daemon.workspace.parent / "state"))
    monkeypatch.setenv("SHOPWATCH_URL", daemon.url)
    monkeypatch.delenv("SHOPWATCH_TOKEN", raising=False)
    body = {"location": "oslo", "journeys": 7, "troubles": ["no way out \x1b[31m"]}
    Client().post("/api/v1/heartbeat", body)
    return lambda *words: CliRunner().invoke(cli.shopwatch, ["probe", "locations", *words], prog_name="shopwatch")


def test_the_locations_are_a_table_without_control_characters(shopwatch: Run) -> None:
    result = shopwatch()
    assert result.exit_code == 0, result.output
    [row] = [line for line in result.stdout.splitlines() if line.startswith("oslo")]
    assert "heard" in row
    assert "no way out" in row
    assert "\x1b[31m" not in result.stdout


def test_a_location_can_be_forgotten(shopwatch: Run, tmp_path: Path) -> None:
    result = shopwatch("--forget", "oslo", "--json")
    assert result.exit_code == 0, result.output
    assert "oslo" not in {row["location"] for row in json.loads(result.stdout)}
    again = shopwatch("--forget", "atlantis")
    assert again.exit_code != 0
    assert "atlantis" in again.stderr


def test_a_silent_location_is_said_to_be_so_in_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    heard = {"location": "oslo", "heard_at": "2026-01-31T13:00:00Z", "journeys": 7, "leftovers": 0, "waiting": 0}
    show_locations([heard | {"silent": True, "troubles": []}])
    [row] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("oslo")]
    assert row.split()[1] == "silent"
