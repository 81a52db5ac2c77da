import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import cli
from incident.client import Client
from tests.incident.a_daemon import Daemon, running, workspace

HEAVY = ("pydantic", "httpx", "sqlalchemy", "fastapi", "rich", "yaml", "jinja2", "structlog", "asyncio")
# What a command that only talks needs not either, and would wait for: in a storm its whole time counts.
SLOW_TO_START = (
    "http.client", "email", "ssl", "importlib.metadata", "encodings.idna", "incident.record_commands",
    "incident.reviews.commands",
)  # fmt: skip
KEYS = {
    "number", "title", "service", "services", "severity", "status", "drill", "opened_at", "acknowledged_at",
    "mitigated_at", "resolved_at", "roles", "alerts", "runbooks", "next_update_due", "url",
}  # fmt: skip
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("commands")
    with running(workspace(folder / "shop"), folder / "state") as started:
        yield started


@pytest.fixture
def shopwatch(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`shopwatch(...)` runs a command against the daemon, with the token that it left for this account."""
    monkeypatch.setenv("XDG_STATE_HOME", str(daemon.workspace.parent / "state"))
    monkeypatch.setenv("SHOPWATCH_URL", daemon.url)
    monkeypatch.delenv("SHOPWATCH_TOKEN", raising=False)

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli.shopwatch, list(words), prog_name="shopwatch")

    return run


def opened(shopwatch: Run, title: str = "Cards are declined", *more: str) -> str:
    result = shopwatch("incident", "open", "--service", "payment", *more, "--json", title)
    assert result.exit_code == 0, result.output
    return str(json.loads(result.stdout)["number"])


def test_an_incident_is_worked_on_from_the_terminal(shopwatch: Run) -> None:
    number = opened(shopwatch, "Cards are declined", "--severity", "sev2", "--note", "since noon")
    for words in (
        ["ack", number], ["note", f"#{number}", "the", "provider", "knows"], ["sev", number, "SEV1", "no orders"],
        ["update", number, "--public", "--status", "monitoring", "We know why."],
        ["assign", number, "commander", "lead"], ["resolve", number, "mended"], ["reopen", number],
    ):  # fmt: skip
        result = shopwatch(*words)
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith(f"#{number} ")
    shown = shopwatch("incident", "show", number).stdout
    for words_shown in ("Cards are declined", "SEV1, investigating", "commander lead", "acknowledged", "We know why."):
        assert words_shown in shown


def test_short_forms_do_what_the_long_ones_do(shopwatch: Run) -> None:
    number = opened(shopwatch)
    end = time.monotonic() + 60
    while "Paged" not in shopwatch("timeline", number).stdout:  # the outbox writes into the timeline too
        assert time.monotonic() < end, "nobody was paged"
    assert shopwatch("ack", number).stdout == shopwatch("incident", "ack", number).stdout
    assert shopwatch("timeline", number).stdout == shopwatch("incident", "timeline", number).stdout


def test_json_is_one_document_in_the_shape_of_the_contract(shopwatch: Run) -> None:
    number = opened(shopwatch)
    shown = json.loads(shopwatch("incident", "show", number, "--json").stdout)
    assert set(shown) >= KEYS
    listed = json.loads(shopwatch("incident", "list", "--json").stdout)
    assert [set(item) for item in listed] == [set(shown)] * len(listed)
    assert shown["number"] in [item["number"] for item in listed]
    timeline = json.loads(shopwatch("timeline", number, "--json").stdout)
    assert [set(event) for event in timeline] == [{"seq", "at", "actor", "kind", "text", "data"}] * len(timeline)
    assert json.loads(shopwatch("ack", number, "--json").stdout)["acknowledged_at"]
    assert json.loads(shopwatch("alert", "list", "--json").stdout) == []


def test_the_timeline_goes_on_from_where_one_was(shopwatch: Run) -> None:
    number = opened(shopwatch)
    shopwatch("note", number, "news")
    events = json.loads(shopwatch("timeline", number, "--json").stdout)
    later = json.loads(shopwatch("timeline", number, "--after", str(events[-2]["seq"]), "--json").stdout)
    assert later[0] == events[-1]


def test_an_incident_is_shown_with_its_latest_events_and_how_many_there_were_before(shopwatch: Run) -> None:
    number = opened(shopwatch)
    for word in range(11):
        shopwatch("note", number, f"word {word}.")
    events = json.loads(shopwatch("timeline", number, "--json").stdout)
    shown = shopwatch("incident", "show", number).stdout
    later = len(json.loads(shopwatch("timeline", number, "--json").stdout)) - len(events)
    before = [int(line.split()[1]) for line in shown.splitlines() if "earlier events" in line]
    assert before[0] - (len(events) - 10) in range(later + 1)  # the outbox writes into the timeline too
    rows = [line.split()[0] for line in shown.partition("SEQ ")[2].splitlines()[1:]]
    assert rows == [str(before[0] + place) for place in range(1, 11)]


def test_lists_are_well_whatever_they_hold(shopwatch: Run) -> None:
    assert shopwatch("alert", "list").output == "Nothing fires.\n"
    opened(shopwatch)
    result = shopwatch("incident", "list")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].split() == ["N", "SEVERITY", "STATUS", "SERVICE", "OPENED", "ACK", "TITLE"]


def test_times_are_in_the_users_zone(shopwatch: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    number = opened(shopwatch)
    at = datetime.fromisoformat(json.loads(shopwatch("incident", "show", number, "--json").stdout)["opened_at"])
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        shown = shopwatch("incident", "show", number).stdout
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert (at + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S") in shown


def test_alerts_are_listed_and_filtered(shopwatch: Run, daemon: Daemon) -> None:
    now = datetime.now(UTC)
    labels = {"alertname": "StockBelowZero", "service": "login", "severity": "warning", "location": "oslo"}
    ends = (now + timedelta(seconds=60)).isoformat()
    Client(daemon.url).post(
        "/api/v2/alerts", [{"labels": labels, "annotations": {"summary": "\x1b[2Jstock"}, "endsAt": ends}]
    )
    shown = shopwatch("alert", "list", "--filter", "service=login").stdout
    assert "StockBelowZero from oslo" in shown and "\x1b" not in shown
    assert shopwatch("alert", "list", "--filter", "service=payment").output == "Nothing fires.\n"
    assert shopwatch("alert", "list", "--filter", "nonsense").exit_code == 4
    Client(daemon.url).post("/api/v2/alerts", [{"labels": labels, "endsAt": now.isoformat()}])


def test_an_incident_for_which_nobody_was_paged_says_so(shopwatch: Run, daemon: Daemon) -> None:
    labels = {"alertname": "Slow", "service": "ticketing", "page": "no"}
    Client(daemon.url).call("POST", "/api/v2/alerts", [{"labels": labels}])
    found: list[dict[str, Any]] = []
    while not found:
        time.sleep(0.05)
        listed = json.loads(shopwatch("incident", "list", "--json").stdout)
        found = [one for one in listed if one["service"] == "ticketing"]
    assert found[0]["unpaged"] is True
    assert "not yet: nobody was paged" in shopwatch("incident", "show", str(found[0]["number"])).output
    Client(daemon.url).call("POST", "/api/v2/alerts", [{"labels": labels, "endsAt": datetime.now(UTC).isoformat()}])


def test_an_alert_with_an_endless_name_leaves_the_others_readable(shopwatch: Run, daemon: Daemon) -> None:
    labels = {"alertname": "N" * 16_000, "service": "s" * 300, "severity": "v" * 300, "made": "endless"}
    Client(daemon.url).call("POST", "/api/v2/alerts", [{"labels": labels}])
    lines = shopwatch("alert", "list", "--filter", "made=endless").stdout.splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) < 400


def test_in_a_storm_the_oldest_alerts_are_listed_and_that_there_are_more(
    shopwatch: Run, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("incident.alert_commands._SHOWN", 2)
    now = datetime.now(UTC)
    storm = [
        {
            "labels": {"alertname": "Storm", "service": "login", "item": str(number)},
            "annotations": {"summary": f"number {number}"},
            "startsAt": (now - timedelta(minutes=number)).isoformat(),
            "endsAt": (now + timedelta(minutes=1)).isoformat(),
        }
        for number in range(4)
    ]
    Client(daemon.url).post("/api/v2/alerts", storm)
    chosen = ("alert", "list", "--filter", "alertname=Storm")
    lines = shopwatch(*chosen).stdout.splitlines()
    assert [line.split()[-1] for line in lines[1:3]] == ["3", "2"]
    assert lines[3:] == ["These are the 2 oldest, and there are more: --all lists them, --filter chooses."]
    assert len(shopwatch(*chosen, "--all").stdout.splitlines()) == 5
    assert len(json.loads(shopwatch(*chosen, "--json").stdout)) == 4
    Client(daemon.url).post("/api/v2/alerts", [{**one, "endsAt": now.isoformat()} for one in storm])


def test_hostile_text_does_not_reach_the_terminal(shopwatch: Run) -> None:
    number = opened(shopwatch, "evil \x1b]0;owned\x07 title")
    shopwatch("note", number, "more \x1b[31m red \u202e text")
    for words in (["incident", "list"], ["incident", "show", number], ["timeline", number], ["ack", number]):
        output = shopwatch(*words).stdout
        assert not any(character in output for character in "\x1b\x07\u202e")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["ack", "99999"], 4, "there is no incident #99999"),
        (["ack", "twelve"], 2, "is not the number of an incident"),
        (["ack", "0"], 2, "is not the number of an incident"),
        (["ack"], 2, "Missing argument"),
        (["sev", "1", "SEV9"], 2, "SEV9"),
        (["note", "1"], 2, "Missing argument"),
        (["incident", "lst"], 2, "No such command"),
        (["token", "revoke", "nobody"], 4, "nobody"),
        (["incident", "list", "--url", "nonsense"], 2, "is not an address"),
        (["incident", "list", "--url", "http://127.0.0.1:9"], 3, "shopwatch run"),
    ],
)
def test_what_goes_wrong_is_told_with_its_exit_code(shopwatch: Run, words: list[str], code: int, says: str) -> None:
    opened(shopwatch)
    result = shopwatch(*words)
    assert (result.exit_code, says in result.stderr) == (code, True), result.output
    assert result.stdout == ""


def test_acting_on_what_is_resolved_is_refused(shopwatch: Run) -> None:
    number = opened(shopwatch)
    shopwatch("resolve", number)
    result = shopwatch("ack", number)
    assert (result.exit_code, "reopen it first" in result.stderr) == (4, True)


def test_a_token_lets_a_person_in_as_far_as_its_role_goes(shopwatch: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    number = opened(shopwatch)
    made = shopwatch("token", "create", "guest", "--role", "viewer")
    secret = made.stdout.strip()
    assert "only now" in made.stderr
    assert "guest" in shopwatch("token", "list").stdout and secret not in shopwatch("token", "list").stdout
    monkeypatch.setenv("SHOPWATCH_TOKEN", secret)
    assert shopwatch("incident", "show", number).exit_code == 0
    refused = shopwatch("ack", number)
    assert (refused.exit_code, "responder" in refused.stderr) == (4, True)
    monkeypatch.delenv("SHOPWATCH_TOKEN")
    assert shopwatch("token", "revoke", "guest").exit_code == 0
    monkeypatch.setenv("SHOPWATCH_TOKEN", secret)
    unknown = shopwatch("incident", "list")
    assert (unknown.exit_code, "shopwatch token create" in unknown.stderr) == (4, True)


def test_who_has_no_token_is_told_how_to_get_one(
    shopwatch: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    result = shopwatch("incident", "list")
    assert (result.exit_code, "$SHOPWATCH_TOKEN" in result.stderr) == (4, True)


def test_init_refuses_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(cli.shopwatch, ["init", str(tmp_path / "new")]).exit_code == 0
    again = run(cli.shopwatch, ["init", str(tmp_path / "new")])
    assert (again.exit_code, "is not empty" in again.stderr) == (4, True)


@pytest.mark.parametrize(
    "words", [["--help"], ["incident", "list", "--help"], ["ack", "--help"], ["token", "create", "--help"]]
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys, cli\n"
        "try: cli.shopwatch.main(sys.argv[1:], prog_name='shopwatch')\n"
        f"except SystemExit: print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    command = [sys.executable, "-P", "-c", code, *words]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "NO_COLOR": "1"})
    assert "Example" in result.stdout or "First five minutes" in result.stdout
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("words", [["incident", "list"], ["alert", "list"], ["silence", "list"]], ids=" ".join)
def test_a_command_that_only_talks_imports_nothing_heavy_either(daemon: Daemon, words: list[str]) -> None:
    heavy = [*HEAVY, *SLOW_TO_START]
    code = (
        "import sys, cli\n"
        "try: cli.shopwatch.main(sys.argv[1:], prog_name='shopwatch')\n"
        f"except SystemExit: print([name for name in {heavy!r} if name in sys.modules])"
    )
    environment: dict[str, Any] = {**os.environ, "XDG_STATE_HOME": str(daemon.workspace.parent / "state")}
    command = [sys.executable, "-P", "-c", code, *words, "--url", daemon.url]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert result.stdout.splitlines()[-1] == "[]"
