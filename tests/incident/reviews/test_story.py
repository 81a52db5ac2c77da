from datetime import UTC, datetime, timedelta
from typing import Any

from incident.core.folding import Draft
from incident.reviews import story

BEGIN = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def draft() -> Draft:
    made = Draft([], 1, BEGIN)
    made.open("Cards fail", {"service": "payment", "severity": "SEV2"})
    return made


def later(made: Draft, minutes: float) -> None:
    made.now = BEGIN + timedelta(minutes=minutes)


def alert(made: Draft, kind: str, *fingerprints: str, service: str = "payment") -> None:
    made.add(1, kind, f"{fingerprints[0]}: {kind}", {"fingerprints": list(fingerprints), "services": [service]})


def lines(made: Draft) -> list[dict[str, Any]]:
    return story.timeline(made.events, story.Cast(made.incidents[1]))


def test_a_storm_is_one_line() -> None:
    made = draft()
    for number in range(40):
        later(made, number / 10)
        alert(made, "alert", f"f{number}")
    made.add(1, "note", "seen", {"via": "cli"}, "mara")
    alert(made, "alert", "late")
    assert [(line["kind"], line["count"]) for line in lines(made)] == [
        ("opened", 1), ("alert", 40), ("note", 1), ("alert", 1),
    ]  # fmt: skip


def test_alerts_that_come_long_after_one_another_are_lines_of_their_own() -> None:
    made = draft()
    for minutes in (0, 20):
        later(made, minutes)
        alert(made, "alert", f"f{minutes}")
    assert [line["kind"] for line in lines(made)] == ["opened", "alert", "alert"]


def test_people_are_named_by_their_role_and_nobody_by_name() -> None:
    made = draft()
    made.add(1, "assigned", "commander: lead", {"role": "commander", "who": "lead"}, "lead")
    made.add(1, "acknowledged", "Acknowledged by mara", {}, "mara")
    made.add(1, "acknowledged", "Acknowledged by lead too; mara was first", {"again": True}, "lead")
    said = " ".join(f"{line['by']} {line['text']}" for line in lines(made))
    assert "lead" not in said and "mara" not in said
    assert "Acknowledged by responder 1" in said and "Acknowledged by commander too; responder 1 was first" in said


def test_who_is_to_do_something_is_not_named_in_the_timeline() -> None:
    made = draft()
    made.add(1, "task", "Task 1: look at the cache, by vera", {"task": "1", "owner": "vera"}, "mara")
    made.add(1, "task_change", "Task 1: by rex", {"task": "1", "owner": "rex"}, "mara")
    said = " ".join(line["text"] for line in lines(made))
    assert "vera" not in said and "rex" not in said


def test_what_a_person_wrote_stays_as_it_is() -> None:
    made = draft()
    made.add(1, "note", "mara's cache was full", {}, "mara")
    assert lines(made)[-1]["text"] == "mara's cache was full"


def test_an_update_is_late_against_what_was_promised() -> None:
    made = draft()
    for minutes, public, due in ((4, True, 24), (30, True, None), (70, False, None), (100, True, None)):
        later(made, minutes)
        said = None if due is None else (BEGIN + timedelta(minutes=due)).isoformat()
        made.add(1, "update", "news", {"public": public, **({"next_update_due": said} if public else {})})
    found = story.updates(made.events)
    assert [one["late_s"] / 60 for one in found] == [0, 6, 10, 0]  # the internal one: 30 minutes after the one before
    assert found[-1]["due_at"] is None


def test_alerts_of_a_service_are_spans_with_how_many_fired_at_once() -> None:
    made = draft()
    alert(made, "alert", "a", "b")
    later(made, 10)
    alert(made, "alert_ended", "a", "b")
    later(made, 20)
    alert(made, "alert", "a")
    end = BEGIN + timedelta(minutes=30)
    [(service, spans)] = story.spans(made.events, end).items()
    assert service == "payment"
    assert [(most, (until - begin) / timedelta(minutes=1)) for begin, until, most in spans] == [(2, 10), (1, 10)]


def test_statuses_begin_where_they_were_set() -> None:
    made = draft()
    made.add(1, "status", "", {"status": "monitoring", "was": "investigating"})
    made.add(1, "note", "x", {"status": "never"})
    made.add(1, "resolved", "over")
    assert [status for _, status in story.statuses(made.events)] == ["investigating", "monitoring", "resolved"]
