from datetime import UTC, datetime, timedelta
from typing import Any

from incident.core import similar
from incident.core.alerts import accept
from incident.core.folding import Draft
from incident.core.model import Incident
from probes.alert import Alert

NOW = datetime(2026, 3, 13, 9, 0, tzinfo=UTC)
SIGNATURE = {"service": "payment", "alertname": "JourneyDown", "journey": "pay", "step": "card", "reason": "tls"}


def incident(number: int, draft: Draft | None = None, drill: str | None = None, **more: Any) -> Incident:
    made = draft or Draft([], number, NOW - timedelta(days=12))
    data = {"service": "payment", "severity": "SEV2", "drill": drill, "signature": {**SIGNATURE, **more}}
    return made.open("Cards fail", data)


def test_the_signature_says_what_failed_and_how() -> None:
    labels = {"alertname": "JourneyDown", "service": "payment", "journey": "pay", "location": "berlin"}
    alert = Alert(labels, NOW, NOW + timedelta(minutes=5), {"step": "card\x1b[2J", "reason": "tls", "run": "r1"})
    assert similar.signature(accept(alert, "prober", NOW)) == {**SIGNATURE, "step": "card [2J"}


def test_the_same_failure_is_recognised_and_another_is_not() -> None:
    new = incident(9)
    assert similar.same_failure(new, [incident(3), incident(4, step="login"), incident(5, drill="d"), new]) == incident(
        3
    )
    assert similar.same_failure(new, [incident(12)]) is None  # which came later


def test_one_with_a_cause_says_more_than_a_newer_one_without() -> None:
    draft = Draft([], 3, NOW)
    incident(3, draft)
    known = draft.add(3, "cause", "", {"cause": "Expired certificate"})
    assert similar.same_failure(incident(9), [incident(5), known]) == known
    assert similar.same_cause(incident(9, step="x"), "expired CERTIFICATE", [incident(5), known]) == known


def test_it_is_said_with_its_cause_its_age_and_what_was_not_done() -> None:
    draft = Draft([], 7, NOW - timedelta(days=12))
    incident(7, draft)
    draft.add(7, "cause", "", {"cause": "Expired certificate"})
    for task in ("1", "2"):
        draft.add(7, "task", "", {"task": task, "text": "x", "kind": "action_item", "owner": None, "due": None})
    known = draft.add(7, "task_done", "", {"task": "1", "done": True})
    assert similar.words(known, NOW) == "as #7 (Expired certificate), 12 days ago; its action item 2 is not done"
