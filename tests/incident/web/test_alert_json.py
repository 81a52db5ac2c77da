"""Bodies that are as they should be are read quickly, all others carefully: what is read is the same."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.web import alert_json
from incident.web.alert_json import BadDocument, read_alerts
from probes.alert import Alert, fingerprint

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
_PAIRS = st.dictionaries(st.sampled_from(["alertname", "job", "", "x" * 300]), st.text(max_size=5), max_size=3)
_INSTANTS = st.sampled_from(
    [None, "", "2026-03-01T08:59:00Z", "2026-03-01T10:59:00.123456789+02:00", "0001-01-01T00:00:00Z", "now", 5]
)
_ALERTS = st.fixed_dictionaries(
    {},
    optional={
        "labels": _PAIRS | st.none(),
        "annotations": _PAIRS | st.none() | st.just(False),
        "startsAt": _INSTANTS,
        "endsAt": _INSTANTS,
        "generatorURL": st.sampled_from([None, "", "http://prometheus.example/", "nowhere", 5]),
        "more": st.integers(),
    },
)
Read = tuple[list[Alert], list[str]] | tuple[int, str]


def read(body: bytes) -> Read:
    try:
        return read_alerts(body, NOW)
    except BadDocument as bad:
        return bad.code, str(bad)


@given(st.lists(_ALERTS, max_size=3))
def test_the_quick_way_reads_what_the_careful_way_reads(document: list[Any]) -> None:
    body = json.dumps(document).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alert_json, "_quickly", lambda *_: None)
        carefully = read(body)
    found = read(body)
    assert found == carefully
    if isinstance(found[0], list):
        assert all(alert.fingerprint == fingerprint(alert.labels) for alert in found[0])


def test_what_prometheus_sends_is_read_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(alert_json, "_carefully")
    sent = {"labels": {"alertname": "Down"}, "annotations": {}, "startsAt": "2026-03-01T08:59:00.123Z",
            "endsAt": "2026-03-01T09:03:00.123Z", "generatorURL": "http://prometheus.example/graph"}  # fmt: skip
    [alert], problems = read_alerts(json.dumps([sent]).encode(), NOW)
    assert (alert.labels, problems) == ({"alertname": "Down"}, [])
