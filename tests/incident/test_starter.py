import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import shopwatch
from drills.checks import check_workspace
from incident.errors import Refused
from incident.settings import load_settings
from incident.starter import write
from probes.files.workspace import Workspace, load_workspace


def test_it_passes_check_with_nothing_set(tmp_path: Path) -> None:
    write(tmp_path / "shop")
    report = check_workspace(tmp_path / "shop", {})
    assert report.mistakes == []
    assert report.counts == {"journey": 1, "runbook": 1, "drill": 1}


def test_it_has_the_six_services_and_one_get_journey_ready_to_run(tmp_path: Path) -> None:
    write(tmp_path)
    settings = load_settings(Workspace(tmp_path, {}))
    assert list(settings.services) == ["login", "catalog", "cart", "checkout", "payment", "logistics"]
    [journey] = load_workspace(tmp_path, {}).journeys()[0]
    [step] = journey.steps
    assert step.method == "GET"
    assert journey.base == "http://127.0.0.1:8471"


def test_the_shops_address_can_be_given_from_outside(tmp_path: Path) -> None:
    write(tmp_path)
    workspace = Workspace(tmp_path, {"SHOP_URL": "https://tea.example"})
    assert workspace.settings().shop.url == "https://tea.example"
    assert workspace.journeys()[0][0].base == "https://tea.example"


def test_every_file_is_commented(tmp_path: Path) -> None:
    assert all("#" in path.read_text() for path in write(tmp_path))


def test_what_the_program_keeps_stays_out_of_git(tmp_path: Path) -> None:
    write(tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".shopwatch").mkdir()
    (tmp_path / ".shopwatch" / "database").touch()
    status = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--porcelain", "-uall"], check=True, capture_output=True, text=True
    )
    assert ".shopwatch" not in status.stdout
    assert "shopwatch.yaml" in status.stdout


@pytest.mark.parametrize("name", ["notes.txt", ".hidden"])
def test_a_folder_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    result = CliRunner().invoke(shopwatch, ["init", str(tmp_path)])
    assert result.exit_code == 4
    assert "is not empty" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(Refused, match="is a file"):
        write(tmp_path / "a")


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    result = CliRunner().invoke(shopwatch, ["init", str(tmp_path / "a" / "b")])
    assert result.exit_code == 0
    checked = CliRunner().invoke(shopwatch, ["-w", str(tmp_path / "a" / "b"), "check", "--json"])
    assert json.loads(checked.stdout) == []


def test_the_commands_that_it_names_can_be_pasted_whatever_the_folder_is_called(tmp_path: Path) -> None:
    result = CliRunner().invoke(shopwatch, ["init", str(tmp_path / "my shop")])
    assert f"shopwatch -w '{tmp_path}/my shop' check" in result.stdout
