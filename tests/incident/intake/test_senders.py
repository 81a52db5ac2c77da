"""What well-known senders say, read by the mappings that docs/settings.md has for them."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from incident.intake import generic
from incident.intake.settings import Intake
from probes.alert import Alert

DOCS = Path(__file__).parents[3] / "docs" / "settings.md"
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SNS = {"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:eu-west-1:000000000000:shop"}
ALARM = {
    "AlarmName": "orders-stuck", "AlarmDescription": None, "Region": "EU (Ireland)", "NewStateValue": "ALARM",
    "NewStateReason": "Threshold Crossed: 1 datapoint (1.0) was greater than the threshold (0.0).",
    "StateChangeTime": "2026-03-01T08:59:00.726+0000", "Trigger": {"MetricName": "Stuck"},
}  # fmt: skip
BEAT = {"monitorID": 29, "status": 0, "time": "2026-03-01 08:59:59.527", "msg": "ENOTFOUND", "ping": None}
MONITOR = {"id": 29, "name": "Shop front", "url": "https://shop.example", "type": "http", "hostname": None}


@pytest.fixture(scope="module")
def intake() -> Intake:
    [block] = [
        found
        for found in re.findall(r"```yaml\n(intake:.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
        if "uptime-kuma" in found
    ]
    return Intake.model_validate(yaml.safe_load(block)["intake"])


def read(intake: Intake, name: str, body: Any) -> Alert:
    source = intake.source(name)
    assert source is not None and source.map is not None
    wrapped = generic.inside(body, source.map)
    [alert] = generic.read(json.loads(wrapped) if wrapped else body, source.map, NOW, source=name)
    return alert


def kuma(status: int) -> dict[str, Any]:
    word = {0: "🔴 Down", 1: "✅ Up"}[status]
    return {"heartbeat": {**BEAT, "status": status}, "monitor": MONITOR, "msg": f"[Shop front] [{word}] as it is"}


def datadog(transition: str, kind: str) -> dict[str, str]:
    title = f"[{transition} on {{host:a}}] Disk is full"
    return {"monitor": "1234", "cycle": "9bd4", "title": title, "transition": transition, "type": kind, "link": ""}


def sentry(action: str) -> dict[str, Any]:
    alert = {"alert_rule": {"name": "Too many errors"}, "projects": ["shop"], "web_url": "https://sentry.example/1"}
    title = {"description_title": f"{action.capitalize()}: Too many errors", "description_text": "1000 events"}
    return {"action": action, "actor": {"id": "sentry"}, "data": {"metric_alert": alert, **title}}


def pingdom(state: str) -> dict[str, Any]:
    before = "UP" if state == "DOWN" else "DOWN"
    return {
        "check_id": 12345, "check_name": "Shop front", "check_type": "HTTP", "previous_state": before,
        "current_state": state, "importance_level": "HIGH", "state_changed_timestamp": 1772355540,
        "long_description": "HTTP Server Error 503", "description": "HTTP Server Error", "tags": [],
    }  # fmt: skip


def robot(kind: str) -> dict[str, str]:
    return {"monitor": "Shop front", "url": "https://shop.example", "type": kind, "details": "Connection Timeout"}


def relic(state: str) -> dict[str, Any]:
    condition = {"issueId": "8a1", "title": "Slow checkout", "priority": "CRITICAL", "state": state}
    return {**condition, "issueUrl": "https://one.newrelic.example/8a1", "createdAt": 1772355540000}


def cloudwatch(state: str) -> dict[str, Any]:
    return {**SNS, "Subject": f"{state}: x", "Message": json.dumps({**ALARM, "NewStateValue": state})}


@pytest.mark.parametrize(
    ("name", "fires", "over", "alertname"),
    [
        ("uptime-kuma", kuma(0), kuma(1), "Shop front"),
        ("datadog", datadog("Triggered", "error"), datadog("Recovered", "success"), "Datadog"),
        ("sentry", sentry("critical"), sentry("resolved"), "Too many errors"),
        ("pingdom", pingdom("DOWN"), pingdom("UP"), "Shop front"),
        ("uptimerobot", robot("1"), robot("2"), "Shop front"),
        ("new-relic", relic("ACTIVATED"), relic("CLOSED"), "Slow checkout"),
        ("cloudwatch", cloudwatch("ALARM"), cloudwatch("OK"), "orders-stuck"),
        ("healthchecks", {"check": "backup", "status": "down"}, {"check": "backup", "status": "up"}, "backup"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_fires_is_named_and_what_is_over_ends_it(
    intake: Intake, name: str, fires: Any, over: Any, alertname: str
) -> None:
    one, other = read(intake, name, fires), read(intake, name, over)
    assert one.labels["alertname"] == alertname
    assert one.ends_at > NOW >= other.ends_at
    graded = {label: value for label, value in one.labels.items() if label != "severity"}
    assert graded == {label: value for label, value in other.labels.items() if label != "severity"}


def test_uptime_kumas_test_button_makes_an_alert_named_after_the_source(intake: Intake) -> None:
    alert = read(intake, "uptime-kuma", {"heartbeat": None, "monitor": None, "msg": "Shop alerts Testing"})
    assert alert.labels["alertname"] == "uptime-kuma"
    assert alert.annotations == {"summary": "Shop alerts Testing"}
    assert alert.ends_at > NOW


def test_amazons_question_whether_one_subscribes_can_be_read_and_followed(intake: Intake) -> None:
    link = "https://sns.eu-west-1.amazonaws.example/?Action=ConfirmSubscription"
    said = {**SNS, "Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe", "SubscribeURL": link}
    alert = read(intake, "cloudwatch", said)
    assert (alert.labels["alertname"], alert.generator_url) == ("cloudwatch", link)
    assert alert.annotations["summary"] == "You have chosen to subscribe"
