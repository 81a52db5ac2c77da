"""The shipped runbooks, and how one is found for an alert."""

import re
from pathlib import Path

import pytest

from runbooks.document import EXPECTED_SECTIONS, Runbook
from runbooks.errors import NoSuchRunbook
from runbooks.library import Library

SHIPPED = Library().runbooks

ALERTS = [
    ({"alertname": "JourneyDown", "service": "login"}, "login-failure"),
    ({"alertname": "JourneyDown", "service": "cart"}, "checkout-failure"),
    ({"alertname": "JourneyDegraded", "service": "checkout"}, "checkout-failure"),
    ({"alertname": "JourneyDown", "service": "payment"}, "payment-channel-failure"),
    ({"alertname": "JourneyDown", "service": "logistics"}, "logistics-sync-delay"),
    ({"alertname": "CouponRedemptionsHigh", "service": "promotion"}, "promotion-coupon-failure"),
    ({"alertname": "InstanceDown", "service": "unassigned"}, "server-down"),
    ({"alertname": "KubePodCrashLooping", "service": "unassigned"}, "server-down"),
    ({"alertname": "PostgresqlTooManyConnections", "service": "unassigned"}, "database-failure"),
    ({"alertname": "MySQLReplicationLag", "service": "unassigned"}, "database-failure"),
    ({"alertname": "HTTPRequestRateAnomaly", "service": "unassigned"}, "traffic-attack"),
]


def write(folder: Path, name: str, matches: str, title: str = "Mine") -> None:
    (folder / "runbooks").mkdir(exist_ok=True)
    text = f"---\nrunbook: {name}\ntitle: {title}\nmatches: [{matches}]\n---\n" + "".join(
        f"## {section}\ntext\n" for section in EXPECTED_SECTIONS
    )
    (folder / "runbooks" / f"{name}.md").write_text(text)


def test_every_shipped_runbook_reads_without_a_mistake() -> None:
    library = Library()
    assert [str(mistake) for mistake in library.mistakes] == []
    assert len(library.runbooks) == 8


@pytest.mark.parametrize(("labels", "name"), ALERTS, ids=[f"{a['alertname']}-{a['service']}" for a, _ in ALERTS])
def test_an_alert_of_a_shop_finds_its_shipped_runbook(labels: dict[str, str], name: str) -> None:
    assert [runbook.name for runbook in Library().for_alert(labels)] == [name]


def test_an_alert_that_no_runbook_knows_finds_none() -> None:
    assert Library().for_alert({"alertname": "CoffeeMachineEmpty", "service": "kitchen"}) == []


@pytest.mark.parametrize("runbook", SHIPPED.values(), ids=list(SHIPPED))
def test_a_shipped_runbook_says_all_that_is_needed_at_3_am(runbook: Runbook) -> None:
    assert set(runbook.sections) == {*EXPECTED_SECTIONS, "Communication", "Escalation"}
    assert runbook.head.title_zh and re.search("[\u4e00-\u9fff]", runbook.head.title_zh)
    assert runbook.sections["Mitigation"].count("Undo:") >= 5
    assert "| what you see |" in runbook.sections["Diagnosis"] or "|---" in runbook.sections["Diagnosis"].replace(
        " ", ""
    )


@pytest.mark.parametrize("runbook", SHIPPED.values(), ids=list(SHIPPED))
def test_a_shipped_runbook_has_a_first_and_a_last_public_update_in_both_languages(runbook: Runbook) -> None:
    assert [update.status for update in runbook.updates][-1] == "resolved"
    assert len(runbook.updates) >= 2
    assert all(update.public and update.zh and re.search("[\u4e00-\u9fff]", update.zh) for update in runbook.updates)


def test_a_workspaces_own_runbook_replaces_the_shipped_one_of_the_same_name(tmp_path: Path) -> None:
    write(tmp_path, "login-failure", 'service="login"', title="Ours")
    assert Library(tmp_path).get("login-failure").head.title == "Ours"


def test_more_matchers_win_then_equality_then_the_name(tmp_path: Path) -> None:
    write(tmp_path, "z-equal", 'service="payment"')
    write(tmp_path, "b-two", 'service=~"pay.*", alertname="JourneyDown"')
    write(tmp_path, "a-regex", 'service=~"pay.*"')
    found = Library(tmp_path).for_alert({"service": "payment", "alertname": "JourneyDown"})
    assert [runbook.name for runbook in found] == ["b-two", "z-equal", "a-regex", "payment-channel-failure"]


def test_two_files_with_one_name_are_a_mistake_and_the_first_is_kept(tmp_path: Path) -> None:
    write(tmp_path, "mine", 'service="a"', title="First")
    text = (tmp_path / "runbooks" / "mine.md").read_text()
    (tmp_path / "runbooks" / "other.md").write_text(text.replace("First", "Second"))
    library = Library(tmp_path)
    assert library.get("mine").head.title == "First"
    assert [str(m) for m in library.mistakes] == ['runbooks/other.md:2: runbook: the name "mine" is taken by mine.md']


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(NoSuchRunbook, match=r'there is no runbook "login-failur" \(did you mean "login-failure"\?\)'):
        Library().get("login-failur")


def test_labels_from_outside_cannot_break_the_search() -> None:
    assert Library().for_alert({"alertname": "((((" * 500, "service": "\x1b[2J\n\0" + "a" * 100_000}) == []
