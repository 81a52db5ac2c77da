"""The merge, as Alertmanager does it: a table of what was known, what came, and what is known then (minutes)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incident.core.alerts import FIRING, RESOLVED, STALE, StoredAlert, accept, merge, readable, severity_of
from incident.errors import Refused
from probes.alert import Alert

ZERO = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return ZERO + timedelta(minutes=minutes)


def heard(start: float, end: float, when: float, timeout: bool = False, note: str = "") -> StoredAlert:
    alert = Alert({"alertname": "A"}, at(start), at(end), {"note": note}, timeout=timeout)
    return accept(alert, "test", at(when))


@pytest.mark.parametrize(
    ("old", "new", "start", "end", "state"),
    [
        pytest.param(heard(0, 5, 0), heard(0, 6, 1), 0, 6, FIRING, id="sent again: the end moves on"),
        pytest.param(heard(0, 5, 0), heard(1, 6, 1), 0, 6, FIRING, id="a later start overlaps: the earlier one stays"),
        pytest.param(heard(2, 7, 2), heard(1, 8, 3), 1, 8, FIRING, id="an earlier start wins"),
        pytest.param(heard(0, 9, 0), heard(1, 6, 1), 0, 9, FIRING, id="an explicit later end rules"),
        pytest.param(heard(0, 9, 0, True), heard(1, 6, 1), 0, 6, FIRING, id="an end set by us does not"),
        pytest.param(heard(0, 5, 0), heard(0, 2, 2), 0, 2, RESOLVED, id="its source says that it is over"),
        pytest.param(heard(0, 2, 2), heard(0, 1.5, 3), 0, 2, RESOLVED, id="over twice: the later end"),
        pytest.param(heard(0, 2, 2), heard(3, 8, 3), 3, 8, FIRING, id="fires again later: a new activity"),
        pytest.param(heard(0, 2, 2), heard(2, 8, 3), 2, 8, FIRING, id="fires again just then: a new activity"),
    ],
)
def test_merge(old: StoredAlert, new: StoredAlert, start: float, end: float, state: str) -> None:
    merged = merge(old, new)
    assert (merged.starts_at, merged.ends_at, merged.state) == (at(start), at(end), state)


def test_a_source_that_was_silent_says_late_that_it_is_over_and_is_believed() -> None:
    stale = replace(heard(0, 5, 0), state=STALE, incident=7)
    assert merge(stale, heard(9, 9, 9)).incident == 7
    assert merge(stale, heard(9, 14, 9)).incident == 7  # fires again: the engine says whether it goes on there


def test_annotations_are_those_of_the_newer_word() -> None:
    assert merge(heard(0, 5, 0, note="old"), heard(0, 6, 1, note="new")).annotations == {"note": "new"}


def test_the_order_of_arrival_counts_even_when_the_clock_was_set_back() -> None:
    assert merge(heard(0, 5, 4, note="old"), heard(0, 6, -60, note="new")).annotations == {"note": "new"}


@pytest.mark.parametrize(
    ("label", "severity"),
    [
        ("critical", "SEV1"),
        ("error", "SEV2"),
        ("Warning", "SEV3"),
        ("info", "SEV4"),
        ("sev2", "SEV2"),
        ("", "SEV3"),
        ("?", "SEV3"),
    ],
)
def test_severities_of_prometheus_rules_become_ours(label: str, severity: str) -> None:
    assert severity_of({"severity": label}) == severity


def test_empty_labels_are_dropped_and_do_not_count_in_the_identity() -> None:
    alert = Alert({"alertname": "A", "empty": ""}, at(0), at(5))
    assert accept(alert, "test", at(0)).fingerprint == heard(0, 5, 0).fingerprint


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(Refused, match="not Unicode"):
        accept(Alert({"alertname": "\ud800"}, at(0), at(5)), "test", at(0))


def test_text_from_outside_becomes_one_short_line() -> None:
    assert readable("a\x1b[31m\n\tb" + "x" * 500).startswith("a [31m b")
    assert len(readable("x" * 5000)) == 200
