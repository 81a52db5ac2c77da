"""`shopwatch probe …` as users and scripts call it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cli import shopwatch

SETTINGS = "shop: {name: Test shop}\nservices: {catalog: {title: Catalogue}, cart: {title: Basket}}\n"


@pytest.fixture
def workspace(tmp_path: Path, httpserver: HTTPServer) -> Path:
    httpserver.expect_request("/").respond_with_data("<h1>BOOK-1</h1>", content_type="text/html")
    httpserver.expect_request("/gone").respond_with_data("no \x1b[31mred", status=404)
    write(tmp_path, "home", httpserver.url_for("/"), [{"get": "/", "expect": {"body": {"contains": "BOOK-1"}}}])
    write(tmp_path, "broken", httpserver.url_for("/"), [{"get": "/"}, {"get": "/gone"}, {"get": "/"}])
    httpserver.expect_request("/slow").respond_with_handler(slow_answer)
    slow = {"get": "/slow", "expect": {"slower_than": {"degraded": "20ms", "down": "30s"}}}
    write(tmp_path, "slow", httpserver.url_for("/"), [slow])
    (tmp_path / "shopwatch.yaml").write_text(SETTINGS)
    return tmp_path


def slow_answer(_: Request) -> Response:
    time.sleep(0.05)
    return Response("at last")


def write(folder: Path, name: str, base: str, steps: list[Mapping[str, Any]]) -> None:
    (folder / "probes").mkdir(exist_ok=True)
    journey = {"journey": name, "service": "catalog", "every": "30s", "timeout": "5s", "base": base, "steps": steps}
    (folder / "probes" / f"{name}.yaml").write_text(json.dumps(journey))


def probe(workspace: Path, *words: str) -> Result:
    return CliRunner().invoke(shopwatch, ["-w", str(workspace), "probe", *words])


def test_run_says_up_and_ends_with_0(workspace: Path) -> None:
    result = probe(workspace, "run", "home")
    assert result.exit_code == 0, result.output
    assert "home is up" in result.stdout
    assert "get /" in result.stdout


def test_run_shows_why_and_how_to_repeat_it_and_ends_with_1(workspace: Path, httpserver: HTTPServer) -> None:
    result = probe(workspace, "run", "broken")
    assert result.exit_code == 1
    assert "broken is down" in result.stdout
    assert "get /gone: down, status" in result.stdout
    assert "status 200 to 399" in result.stdout
    assert "curl -sS -H 'User-Agent: shopwatch/" in result.stdout
    assert httpserver.url_for("/gone") in result.stdout


def test_control_characters_of_a_target_do_not_reach_the_terminal(workspace: Path) -> None:
    result = probe(workspace, "run", "broken")
    assert "\x1b" not in result.stdout
    assert "\\x1b[31mred" in result.stdout


def test_degraded_ends_with_1(workspace: Path) -> None:
    result = probe(workspace, "run", "slow", "--json")
    assert (result.exit_code, json.loads(result.stdout)["outcome"]) == (1, "degraded")


def test_the_json_of_a_run_is_one_document_with_the_words_of_the_contract(workspace: Path) -> None:
    result = probe(workspace, "run", "broken", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert {"journey", "run_id", "outcome", "started_at", "duration_s", "steps", "cleanup"} <= document.keys()
    first, failed, skipped = document["steps"]
    words = {"name", "outcome", "reason", "expected", "seen", "status", "phases", "duration_s", "attempts"}
    assert words <= failed.keys()
    assert (first["outcome"], first["reason"], first["status"]) == ("up", None, 200)
    assert (failed["outcome"], failed["reason"], failed["status"]) == ("down", "status", 404)
    assert (skipped["outcome"], skipped["phases"]) == ("skipped", {})
    assert {"resolve", "connect", "processing", "transfer"} <= first["phases"].keys()


def test_a_trace_draws_every_exchange(workspace: Path) -> None:
    result = probe(workspace, "run", "broken", "--trace")
    lines = [line for line in result.stdout.splitlines() if " GET http" in line]
    assert [line[40:].split()[0] for line in lines] == ["200", "404"]
    assert all(line.endswith(")") for line in lines), "each names its step"
    assert all(set(line[:40]) <= set(" .-=#+") for line in lines)


def test_a_trace_in_json_lists_them(workspace: Path) -> None:
    document = json.loads(probe(workspace, "run", "home", "--trace", "--json").stdout)
    assert [(hop["method"], hop["status"]) for hop in document["trace"]] == [("GET", 200)]


@pytest.mark.parametrize("words", [["list"], ["run", "home"]])
def test_a_folder_that_is_no_workspace_is_2(tmp_path: Path, words: list[str]) -> None:
    result = probe(tmp_path, *words)
    assert result.exit_code == 2
    assert "shopwatch.yaml" in result.stderr


def test_a_state_folder_that_cannot_be_made_is_2(workspace: Path) -> None:
    (workspace / ".shopwatch").write_text("in the way")
    result = probe(workspace, "run", "home")
    assert result.exit_code == 2
    assert ".shopwatch" in result.stderr


def test_an_unknown_journey_is_4_with_a_suggestion(workspace: Path) -> None:
    result = probe(workspace, "run", "hom")
    assert result.exit_code == 4
    assert "Did you mean home?" in result.stderr


def test_a_journey_with_a_mistake_is_2_with_file_and_line(workspace: Path) -> None:
    (workspace / "probes" / "home.yaml").write_text("journey: home\nservice: catalog\nevery: 30s\nsteps:\n- gte: /\n")
    result = probe(workspace, "run", "home")
    assert result.exit_code == 2
    assert "probes/home.yaml:5" in result.stderr


def test_a_mistake_in_another_file_does_not_stop_a_run(workspace: Path) -> None:
    (workspace / "probes" / "broken.yaml").write_text("journey: broken\n")
    assert probe(workspace, "run", "home").exit_code == 0


def several(workspace: Path) -> Path:
    """A good journey between a bad one and another good one."""
    home = (workspace / "probes" / "home.yaml").read_text()
    path = workspace / "probes" / "home.yaml"
    path.write_text(
        f"journey: bad\nservice: catalog\nsteps:\n- gte: /\n---\n{home}\n---\n" + home.replace("home", "other")
    )
    return path


def test_a_bad_journey_does_not_keep_the_others_of_its_file_from_being_run(workspace: Path) -> None:
    path = several(workspace)
    for name in ("home", f"{path}#other"):
        result = probe(workspace, "run", name)
        assert result.exit_code == 0, result.output
        assert "home.yaml:4: steps[0].gte" in result.stderr, "what is wrong is said all the same"


def test_the_bad_journey_itself_is_2(workspace: Path) -> None:
    path = several(workspace)
    for name in ("bad", f"{path}#bad"):
        result = probe(workspace, "run", name)
        assert (result.exit_code, "home.yaml:4: steps[0].gte" in result.stderr) == (2, True)


def test_the_examples_are_listed_and_one_is_printed_as_it_is(tmp_path: Path) -> None:
    from probes.examples import examples

    listed = json.loads(probe(tmp_path, "example", "--json").stdout)
    assert [one["example"] for one in listed] == [one.name for one in examples()]
    assert "Stock below zero" in probe(tmp_path, "example").stdout
    assert probe(tmp_path, "example", "stock").stdout == next(one.text for one in examples() if one.name == "stock")
    assert probe(tmp_path, "example", "stocks").exit_code == 4


def test_a_secret_that_is_not_set_is_2(workspace: Path) -> None:
    write(workspace, "home", "${NO_SUCH_ADDRESS_IS_SET}", [{"get": "/"}])
    result = probe(workspace, "run", "home")
    assert result.exit_code == 2
    assert "NO_SUCH_ADDRESS_IS_SET" in result.stderr


def test_a_journey_in_any_file_can_be_run_without_a_workspace(workspace: Path, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    result = probe(elsewhere, "run", str(workspace / "probes" / "home.yaml"))
    assert result.exit_code == 0, result.output
    assert list(elsewhere.iterdir()) == []


def test_list_shows_every_journey(workspace: Path) -> None:
    result = probe(workspace, "list")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == ["broken", "home", "slow"]


def test_list_shows_how_the_last_runs_of_a_prober_ended(workspace: Path) -> None:
    folder = workspace / ".shopwatch" / "prober" / "local"
    folder.mkdir(parents=True)
    state = {
        "version": 1,
        "states": {"broken": {"history": [["up", "2026-05-01T11:59:30+00:00"], ["down", "2026-05-01T12:00:00+00:00"]]}},
        "last_runs": {"home": 1777636800.0, "broken": 1777636800.0, "slow": 1777636800.0},
        "unsaid": ["slow"],
    }
    (folder / "state.json").write_text(json.dumps(state))
    rows = {row["journey"]: row for row in json.loads(probe(workspace, "list", "--json").stdout)}
    assert {name: row["last"] for name, row in rows.items()} == {"broken": "down", "home": "up", "slow": "prober"}
    assert rows["home"]["last_at"] == "2026-05-01T12:00:00+00:00"


def test_names_are_completed(workspace: Path) -> None:
    (workspace / "probes" / "more.yaml").write_text("journey: homepage # of the shop\n---\njourney: cart\n")
    environment = {
        **os.environ,
        "_SHOPWATCH_COMPLETE": "bash_complete",
        "COMP_WORDS": f"shopwatch -w {workspace} probe run ho",
        "COMP_CWORD": "5",
    }
    code = "import cli; cli.main()"
    shown = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert "plain,homepage" in shown.stdout, shown


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["list", "--help"], ["serve", "--help"]])
def test_every_help_has_an_example(workspace: Path, words: list[str]) -> None:
    assert "Example:" in probe(workspace, *words).stdout
