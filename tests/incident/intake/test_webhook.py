from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incident.intake.payload import Unreadable
from incident.intake.webhook import HOLD, read, read_grafana

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ONE: dict[str, Any] = {
    "status": "firing",
    "labels": {"alertname": "HighErrorRate", "service": "checkout", "severity": "critical"},
    "annotations": {"summary": "a tenth of the orders fail"},
    "startsAt": "2026-03-01T08:58:00.000Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus.example/graph",
    "fingerprint": "ignored",
}


def body(*alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": "4", "status": "firing", "receiver": "shopwatch", "alerts": list(alerts), **more}


def test_a_firing_alert_fires_until_its_sender_has_been_silent_for_hours() -> None:
    [alert] = read(body(ONE), NOW)
    assert alert.labels == ONE["labels"]
    assert (alert.starts_at, alert.ends_at) == (NOW - timedelta(minutes=2), NOW + HOLD)
    assert alert.timeout
    assert alert.generator_url == "http://prometheus.example/graph"


def test_a_resolved_one_is_over_since_its_sender_says() -> None:
    [alert] = read(body({**ONE, "status": "resolved", "endsAt": "2026-03-01T08:59:00Z"}), NOW)
    assert alert.ends_at == NOW - timedelta(minutes=1)


def test_an_end_in_the_future_is_no_way_to_keep_a_resolved_alert_firing() -> None:
    [alert] = read(body({**ONE, "status": "resolved", "endsAt": "2036-03-01T08:59:00Z"}), NOW)
    assert alert.ends_at == NOW


def test_grafana_says_where_to_look() -> None:
    links = {"dashboardURL": "https://g.example/d/1", "panelURL": "javascript:alert(1)", "valueString": "[ var='B' ]"}
    [alert] = read_grafana(body({**ONE, **links}, version="1", orgId=1, state="alerting"), NOW)
    assert alert.annotations["dashboard"] == "https://g.example/d/1"
    assert alert.annotations["values"] == "[ var='B' ]"
    assert "panel" not in alert.annotations


@pytest.mark.parametrize(("state", "over"), [("alerting", False), ("no_data", False), ("ok", True)])
def test_grafanas_old_alerting_is_one_alert_a_rule(state: str, over: bool) -> None:
    old = {"ruleId": 7, "ruleName": "Queue", "state": state, "message": "too long", "ruleUrl": "http://g.example/7"}
    [alert] = read_grafana(old, NOW)
    assert alert.labels == {"alertname": "Queue", "rule_id": "7"}
    assert alert.annotations["summary"] == "too long"
    assert (alert.ends_at <= NOW) is over


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        ([], "the body should be an object"),
        ({}, "alerts should be an array"),
        (body({**ONE, "status": "maybe"}), r"alerts\[0\].status should be firing or resolved, and is 'maybe'"),
        (body({**ONE, "labels": {}}), "at least one label"),
        (body({**ONE, "labels": ["a"]}), r"alerts\[0\].labels should be an object"),
        (body(*[ONE] * 1001), "1000 is the most"),
        (body({**ONE, "labels": {f"l{i}": "x" for i in range(65)}}), "64 is the most"),
    ],
)
def test_what_is_wrong_with_a_payload_is_said(payload: Any, complaint: str) -> None:
    with pytest.raises(Unreadable, match=complaint):
        read(payload, NOW)


def test_a_template_of_their_own_is_sent_to_the_generic_door() -> None:
    with pytest.raises(Unreadable, match="/hooks/generic"):
        read_grafana({"text": "something happened"}, NOW)
