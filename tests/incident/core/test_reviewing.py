from datetime import UTC, datetime, timedelta

import pytest

from incident.core import reviewing
from incident.core.actions import perform
from incident.core.actor import Actor, Role
from incident.core.folding import Draft
from incident.core.policy import policy_of
from incident.core.redaction import redacted
from incident.errors import Conflict, NotAllowed, Refused
from incident.settings import Settings
from tests.incident.conftest import SHOP

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
POLICY = policy_of(Settings.model_validate(SHOP))
MARA = Actor("mara", Role.RESPONDER)


def draft() -> Draft:
    made = Draft([], 1, NOW)
    made.open("Cards fail", {"service": "payment", "severity": "SEV2"})
    return made


def publish(made: Draft, text: object, actor: Actor = MARA) -> None:
    perform("review", made.incidents[1], made, actor=actor, args={"text": text}, policy=POLICY)


def test_each_review_is_a_version_of_its_own() -> None:
    made = draft()
    publish(made, "<!-- shopwatch:review #1 version 0 -->\n# One\x00\r\n")
    publish(made, "# Two")
    assert [(event.data["version"], event.data["text"]) for event in made.events[1:]] == [(1, "# One\n"), (2, "# Two")]
    assert made.incidents[1].review["version"] == 2


def test_whoever_worked_on_an_older_version_is_told() -> None:
    made = draft()
    publish(made, "# One")
    with pytest.raises(Conflict, match="version 1 of this review was published meanwhile"):
        publish(made, "<!-- shopwatch:review #1 version 0 -->\n# Mine")
    with pytest.raises(Refused, match="a review of #7"):
        publish(made, "<!-- shopwatch:review #7 version 1 -->\n# Mine")


@pytest.mark.parametrize("text", ["", " \n", None, 7, "x" * 100_001, "\ud800"])
def test_what_is_no_review_is_refused(text: object) -> None:
    with pytest.raises(Refused):
        publish(draft(), text)


def test_a_viewer_publishes_nothing_and_a_redacted_review_is_blank() -> None:
    made = draft()
    with pytest.raises(NotAllowed):
        publish(made, "# One", Actor("guest", Role.VIEWER))
    publish(made, "# One")
    assert redacted(made.events[-1]).data["text"] == "[redacted]"


def test_an_overdue_item_is_said_once_a_day_in_the_first_week_and_then_once_a_week() -> None:
    made = draft()
    for key, kind in (("1", "action_item"), ("2", "task")):
        made.add(
            1, "task", "", {"task": key, "text": "alert on it", "kind": kind, "owner": "lead", "due": NOW.isoformat()}
        )
    said = []
    for hours in range(24 * 31):
        made.now = NOW + timedelta(hours=hours)
        before = len(made.events)
        reviewing.remind(made.incidents[1], made)
        said += [hours / 24] * (len(made.events) - before)
    days = [round(at) for at in said]
    assert days == [0, 1, 2, 3, 4, 5, 6, 13, 20, 27]
    assert made.events[-1].text == "An action item is overdue: 1, alert on it (lead), due 2026-03-01"


def test_what_is_done_or_not_due_is_not_said() -> None:
    made = draft()
    made.add(1, "task", "", {"task": "1", "text": "x", "kind": "action_item", "owner": None, "due": NOW.isoformat()})
    made.add(1, "task_done", "", {"task": "1", "done": True})
    made.add(1, "task", "", {"task": "2", "text": "x", "kind": "action_item", "owner": None, "due": None})
    made.now = NOW + timedelta(days=2)
    reviewing.remind(made.incidents[1], made)
    assert made.events[-1].kind == "task"
