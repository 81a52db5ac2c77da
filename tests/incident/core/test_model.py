import pytest

from incident.core.folding import KINDS, Draft, apply, fold
from incident.core.model import Event, Incident
from tests.incident.conftest import START

CONTRACT = {
    *("number", "title", "service", "services", "severity", "status", "drill", "roles", "alerts", "runbooks", "url"),
    *("opened_at", "acknowledged_at", "mitigated_at", "resolved_at", "next_update_due"),
}
OPENED = Event(1, 1, START, "shopwatch", "opened", "One", {"title": "One", "service": "login", "severity": "SEV2"})


def after(*rest: tuple[str, dict[str, object]]) -> Incident:
    draft = Draft([fold([OPENED])], 2, START)
    for kind, data in rest:
        draft.add(1, kind, "", data)
    return draft.incidents[1]


def test_a_record_begins_with_its_opening() -> None:
    with pytest.raises(ValueError, match="not with opened"):
        fold([Event(1, 1, START, "x", "note")])
    with pytest.raises(ValueError, match="at least one"):
        fold([])


def test_an_event_out_of_turn_is_refused() -> None:
    with pytest.raises(ValueError, match="does not follow"):
        apply(fold([OPENED]), Event(1, 3, START, "x", "note"))


def test_a_kind_of_a_later_version_changes_nothing_but_the_count() -> None:
    assert after(("from_the_future", {})).seq == 2


def test_going_back_from_monitoring_is_going_back_to_what_was() -> None:
    incident = after(("status", {"status": "identified"}), ("status", {"status": "monitoring"}))
    assert (incident.before_monitoring, incident.mitigated_at) == ("identified", START)


def test_an_update_that_resolves_has_resolved_it() -> None:
    incident = after(("update", {"status": "resolved", "public": True}))
    assert (incident.open, incident.resolved_at) == (False, START)


def test_the_json_has_the_fields_that_scripts_depend_on() -> None:
    document = fold([OPENED]).to_json("http://127.0.0.1:8470/")
    assert set(document) >= CONTRACT
    assert document["url"] == "http://127.0.0.1:8470/incidents/1"


def test_every_kind_of_event_is_explained() -> None:
    from incident.core import model

    assert model.__doc__
    for kind in KINDS:
        assert f"| {kind} " in model.__doc__
