"""The record and the reviews from the command line, against a daemon."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import cli
from tests.incident.a_daemon import SETTINGS, Daemon, running, workspace

Run = Callable[..., Result]
PEOPLE = "people:\n  lead: {name: L. Lead, role: commander}\n"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("record")
    with running(workspace(folder / "shop", SETTINGS + PEOPLE), folder / "state") as started:
        yield started


@pytest.fixture
def shopwatch(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("XDG_STATE_HOME", str(daemon.workspace.parent / "state"))
    monkeypatch.setenv("SHOPWATCH_URL", daemon.url)
    monkeypatch.delenv("SHOPWATCH_TOKEN", raising=False)

    def run(*words: str, ok: bool = True) -> Result:
        result = CliRunner().invoke(cli.shopwatch, list(words), prog_name="shopwatch")
        assert not ok or result.exit_code == 0, result.output
        return result

    return run


def opened(shopwatch: Run, title: str = "Cards are declined") -> str:
    answer = shopwatch("incident", "open", "--service", "payment", "--severity", "SEV1", "--json", title)
    return str(json.loads(answer.stdout)["number"])


def shown(shopwatch: Run, number: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(shopwatch("incident", "show", number, "--json").stdout)
    return found


def test_one_incident_goes_on_in_another_and_comes_back(shopwatch: Run) -> None:
    one, two = opened(shopwatch), opened(shopwatch)
    shopwatch("incident", "merge", two, one)
    assert shown(shopwatch, two)["merged_into"] == int(one)
    shopwatch("incident", "unmerge", two)
    shopwatch("incident", "link", two, one, "--how", "caused by")
    assert shown(shopwatch, one)["links"] == [{"incident": int(two), "how": "causes"}]
    shopwatch("incident", "unlink", two, one)
    shopwatch("incident", "duplicate", two, one)
    assert shown(shopwatch, two)["status"] == "resolved"
    assert shopwatch("incident", "merge", one, "999", ok=False).exit_code == 4


def test_tasks_are_given_listed_and_done(shopwatch: Run) -> None:
    number = opened(shopwatch)
    shopwatch("incident", "task", "add", number, "--owner", "lead", "--due", "2h", "--action-item", "Alert", "on", "it")
    shopwatch("incident", "task", "change", number, "1", "--owner", "second")
    listed = json.loads(shopwatch("incident", "task", "list", "--json").stdout)
    mine = [item for item in listed if item["incident"] == int(number)]
    assert [(item["text"], item["owner"]) for item in mine] == [("Alert on it", "second")]
    assert f"#{number}" in shopwatch("incident", "reviews").stdout
    shopwatch("incident", "task", "done", number, "1")
    left = json.loads(shopwatch("incident", "task", "list", "--json").stdout)
    assert int(number) not in [item["incident"] for item in left]
    assert shopwatch("incident", "task", "done", number, "7", ok=False).exit_code == 4


def test_a_file_is_attached_and_saved_again(shopwatch: Run, tmp_path: Path) -> None:
    number = opened(shopwatch)
    (tmp_path / "log.txt").write_bytes(b"the log")
    shopwatch("incident", "attach", number, str(tmp_path / "log.txt"))
    [item] = json.loads(shopwatch("incident", "evidence", number, "--json").stdout)
    shopwatch("incident", "evidence", number, item["attachment"], "-o", str(tmp_path / "again.txt"))
    assert (tmp_path / "again.txt").read_bytes() == b"the log"


def test_what_should_not_have_been_written_is_blanked(shopwatch: Run) -> None:
    number = opened(shopwatch)
    shopwatch("note", number, "card 4111")
    shopwatch("incident", "runbook", number, "payment-channel-failure")
    seq = next(e["seq"] for e in json.loads(shopwatch("timeline", number, "--json").stdout) if e["text"] == "card 4111")
    shopwatch("incident", "redact", number, str(seq), "a card")
    assert "4111" not in shopwatch("timeline", number).stdout


def test_a_review_is_written_to_files_edited_and_published(shopwatch: Run, tmp_path: Path) -> None:
    number = opened(shopwatch)
    shopwatch("incident", "cause", number, "Expired certificate")
    md, html, svg = (tmp_path / f"review.{kind}" for kind in ("md", "html", "svg"))
    shopwatch("incident", "review", number, "--md", str(md), "--html", str(html), "--svg", str(svg))
    assert "- Expired certificate" in md.read_text() and "<svg" in html.read_text()
    assert svg.read_text().startswith("<svg")
    md.write_text(md.read_text().replace("## What was hard", "## What was hard\n\nNobody looked at expiry."))
    published = shopwatch("incident", "review", number, "--publish", str(md))
    assert "review published, version 1" in published.stdout
    assert "Nobody looked at expiry." in shopwatch("incident", "review", number).stdout
    assert json.loads(shopwatch("incident", "review", number, "--json").stdout)["published"]["version"] == 1
    again = shopwatch("incident", "review", number, "--publish", str(md), ok=False)
    assert again.exit_code == 4 and "published meanwhile" in again.output
    assert (
        "## 时间线" in shopwatch("incident", "review", number, "--template", _template(tmp_path), "--lang", "zh").stdout
    )


def _template(folder: Path) -> str:
    path = folder / "ours.md.j2"
    path.write_text("## {{ words.timeline }}\n\n{{ sections.timeline }}\n")
    return str(path)


def test_a_person_of_the_file_needs_no_role_for_a_token(shopwatch: Run) -> None:
    assert json.loads(shopwatch("token", "create", "lead", "--json").stdout)["role"] == "commander"
    assert shopwatch("token", "create", "stranger", ok=False).exit_code == 4
