"""`shopwatch probe leftovers` as users and scripts call it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pytest_httpserver import HTTPServer

from cli import shopwatch
from probes.running.claims import Claims
from probes.running.ledger import Entry, Ledger

SETTINGS = "shop: {name: Test shop}\nservices: {checkout: {title: Checkout}}\nlimits: {mutates: cart}\n"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path, httpserver: HTTPServer) -> Path:
    journey = {
        "journey": "checkout", "service": "checkout", "every": "30s", "timeout": "2s", "mutates": "order",
        "base": httpserver.url_for("/"),
        "steps": [{"name": "buy", "post": "/orders", "creates": "{{ order }}", "save": {"order": {"json": "$.id"}}}],
        "cleanup": [{"post": "/orders/{{ order }}/cancel"}],
    }  # fmt: skip
    (tmp_path / "probes").mkdir()
    (tmp_path / "probes" / "checkout.yaml").write_text(json.dumps(journey))
    (tmp_path / "shopwatch.yaml").write_text(SETTINGS)
    return tmp_path


def leave(workspace: Path, number: int, **keys: Any) -> Entry:
    ledger = Ledger(workspace / ".shopwatch" / "ledger.jsonl")
    entry = Entry(f"{number:04x}beef", "", f"run-{number}", "checkout", "buy", "intent")
    saved = {"saved": {"order": number}, "value": str(number)}
    return ledger.record(entry, "failed", NOW, **saved | keys)


@pytest.fixture
def left(workspace: Path) -> Iterator[Entry]:
    yield leave(workspace, 7, detail="post /orders/7/cancel: status", attempts=3)


def probe(workspace: Path, *words: str) -> Result:
    return CliRunner().invoke(shopwatch, ["-w", str(workspace), "probe", *words])


def listed(workspace: Path) -> list[dict[str, Any]]:
    result = probe(workspace, "leftovers", "--json")
    assert result.exit_code == 0, result.output
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def test_nothing_left_is_said_and_leaves_no_trace(workspace: Path) -> None:
    result = probe(workspace, "leftovers")
    assert (result.exit_code, result.stdout) == (0, "Nothing is left in the shop.\n")
    assert listed(workspace) == []
    assert not (workspace / ".shopwatch").exists()


def test_the_list_tells_what_where_since_when_and_why(workspace: Path, left: Entry) -> None:
    assert listed(workspace) == [
        {
            "id": left.id, "journey": "checkout", "step": "buy", "value": "7", "account": None, "run_id": "run-7",
            "state": "failed", "since": NOW.isoformat(), "at": NOW.isoformat(), "attempts": 3,
            "next_attempt": NOW.isoformat(), "trouble": "post /orders/7/cancel: status",
        }
    ]  # fmt: skip
    result = probe(workspace, "leftovers")
    assert result.exit_code == 0
    assert "failed" in result.stdout and "post /orders/7/cancel: status" in result.stdout


def test_what_cannot_be_undone_has_no_next_attempt_and_says_why(workspace: Path) -> None:
    leave(workspace, 8, saved={}, value=None)
    (row,) = listed(workspace)
    assert row["next_attempt"] is None
    assert "needs order, which never came" in row["trouble"]


def test_what_a_run_under_way_has_made_is_not_listed(workspace: Path) -> None:
    leave(workspace, 7)
    claim = Claims(workspace / ".shopwatch" / "claims").take("run-7")
    assert claim is not None
    assert listed(workspace) == []
    claim.release(settled=False)


def test_what_is_being_tried_once_more_stays_listed_and_is_not_taken_away(workspace: Path, left: Entry) -> None:
    claim = Claims(workspace / ".shopwatch" / "claims").take("run-7")
    assert claim is not None
    assert [row["id"] for row in listed(workspace)] == [left.id]
    assert probe(workspace, "leftovers", "--settle", left.id, "--comment", "x").exit_code == 4
    claim.release(settled=False)


def test_trying_now_ends_with_0_when_nothing_is_left_and_with_1_else(
    workspace: Path, left: Entry, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/orders/7/cancel", method="POST").respond_with_data("done")
    result = probe(workspace, "leftovers", "--retry", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])
    leave(workspace, 9)
    result = probe(workspace, "leftovers", "--undo", "--json")
    assert result.exit_code == 1
    assert [row["attempts"] for row in json.loads(result.stdout)] == [1]


def test_somebody_who_has_looked_after_one_takes_it_from_the_list(workspace: Path, left: Entry) -> None:
    leave(workspace, 9)
    result = probe(workspace, "leftovers", "--settle", left.id[:4], "--comment", "cancelled by hand")
    assert result.exit_code == 0, result.output
    assert [row["run_id"] for row in listed(workspace)] == ["run-9"]
    ledger = Ledger(workspace / ".shopwatch" / "ledger.jsonl")
    (dismissed,) = [entry for entry in ledger.entries() if entry.id == left.id]
    assert (dismissed.state, (dismissed.detail or "").partition(": ")[2]) == ("dismissed", "cancelled by hand")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--settle", "0007beef"], 2),
        (["--comment", "x"], 2),
        (["--retry", "--settle", "0007beef", "--comment", "x"], 2),
        (["--settle", "ffff", "--comment", "x"], 4),
        (["--settle", "000", "--comment", "x"], 4),
    ],
    ids=["no reason", "no id", "both", "unknown", "too short"],
)
def test_what_cannot_be_settled_is_said(workspace: Path, left: Entry, words: list[str], code: int) -> None:
    assert probe(workspace, "leftovers", *words).exit_code == code
    assert len(listed(workspace)) == 1


def test_values_from_the_shop_reach_no_terminal_raw(workspace: Path) -> None:
    leave(workspace, 7, value="\x1b[31m7", detail="\x1b[2Jno")
    assert "\x1b" not in probe(workspace, "leftovers").stdout


@pytest.mark.parametrize("words", [[], ["--mutates", "order"]], ids=["by itself", "asked for more"])
def test_a_run_by_hand_goes_no_deeper_than_the_workspace_allows(
    workspace: Path, httpserver: HTTPServer, words: list[str]
) -> None:
    result = probe(workspace, "run", "checkout", *words)
    assert result.exit_code == 0, result.output
    assert "buy: not sent" in result.stdout
    assert httpserver.log == []


def test_a_run_by_hand_can_be_told_to_stay_shallow(workspace: Path, httpserver: HTTPServer) -> None:
    (workspace / "shopwatch.yaml").write_text(SETTINGS.replace("cart", "order"))
    result = probe(workspace, "run", "checkout", "--mutates", "none", "--json")
    assert json.loads(result.stdout)["held_back"] == {"step": "buy", "mutates": "order", "limit": "none"}
    assert httpserver.log == []
