import asyncio
import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from incident.desk import Desk
from incident.errors import StoreUnavailable
from incident.settings import Settings
from tests.incident.conftest import SHOP, Clock
from tests.incident.web.conftest import MORE, Connect

pytestmark = pytest.mark.anyio

TRIGGER = {
    "routing_key": "g" * 32,
    "event_action": "trigger",
    "dedup_key": "queue",
    "payload": {
        "summary": "Queue grows",
        "source": "mq-1",
        "severity": "critical",
        "custom_details": {"service": "cart"},
    },
}
SOURCES = [
    {"name": "grafana", "token": "grafana-token", "hmac": "key"},
    {
        "name": "zabbix",
        "token": "zabbix-token",
        "service": "logistics",
        "severities": {"disaster": "SEV1"},
        "map": {"labels": {"alertname": "$.name", "severity": "$.level"}, "status": "$.status"},
    },
]
ALERTMANAGER = {
    "version": "4",
    "status": "firing",
    "alerts": [{"status": "firing", "labels": {"alertname": "X", "service": "login"}, "annotations": {}}],
}


@pytest.fixture
def settings() -> Settings:
    dead_man = [{"name": "watchdog", "match": ['alertname="Watchdog"'], "within": "5m", "service": "login"}]
    return Settings.model_validate({**SHOP, **MORE, "intake": {"dead_man": dead_man}})


@pytest.fixture
async def sourced(desk: Desk, connect: Connect) -> None:
    """The settings name sources from now on."""
    await desk.reload(Settings.model_validate({**SHOP, **MORE, "intake": {"sources": SOURCES}}))


async def cycle(desk: Desk, clock: Clock) -> None:
    await desk.cycle(clock.now)


async def enqueue(connect: Connect, **changes: Any) -> tuple[int, dict[str, Any]]:
    response = await connect().post("/v2/enqueue", json={**TRIGGER, **changes})
    return response.status_code, response.json()


async def test_a_trigger_opens_an_incident_of_the_service_that_it_names(
    connect: Connect, desk: Desk, clock: Clock
) -> None:
    status, said = await enqueue(connect)
    assert (status, said) == (202, {"status": "success", "message": "Event processed", "dedup_key": "queue"})
    await cycle(desk, clock)
    [incident] = await desk.incidents()
    assert (incident.service, incident.severity, incident.title) == ("cart", "SEV1", "Queue grows")


async def test_a_trigger_without_a_key_is_given_one(connect: Connect) -> None:
    _, said = await enqueue(connect, dedup_key=None)
    assert len(said["dedup_key"]) == 32


async def test_triggers_of_one_key_are_one_alert_however_they_differ(
    connect: Connect, desk: Desk, clock: Clock
) -> None:
    await enqueue(connect)
    other = {"summary": "Queue still grows", "source": "mq-2", "severity": "warning"}
    await enqueue(connect, payload=other)
    [alert] = await desk.alerts()
    assert (alert.summary, alert.severity) == ("Queue still grows", "SEV1")


def grave(severity: str, **more: Any) -> dict[str, Any]:
    payload = {"summary": f"Queue is {severity}", "source": "mq-1", "severity": severity, **more}
    return {**TRIGGER, "payload": payload}


async def act(connect: Connect, action: str) -> None:
    body = {"routing_key": "g", "event_action": action, "dedup_key": "queue"}
    assert (await connect().post("/v2/enqueue", json=body)).status_code == 202


async def test_a_key_that_grows_worse_raises_its_incident_which_stays_the_same(
    connect: Connect, desk: Desk, clock: Clock
) -> None:
    of_cart = {"custom_details": {"service": "cart"}, "component": "broker"}
    await enqueue(connect, **grave("warning", **of_cart))
    await cycle(desk, clock)
    clock.forward(minutes=1)
    await enqueue(connect, **grave("critical", group="eu"))
    await cycle(desk, clock)
    [incident] = await desk.incidents()
    assert (incident.service, incident.severity, incident.status) == ("cart", "SEV1", "investigating")
    [alert] = await desk.alerts()
    assert {"severity": "critical", "component": "broker", "group": "eu", "service": "cart"}.items() <= (
        alert.labels.items()
    )
    said = [(event.kind, event.text) for event in await desk.timeline(1)][-3:]
    assert said == [
        ("alert", "PagerDutyEvent (cart) Queue is critical: firing"),
        ("alert_ended", "PagerDutyEvent (cart) now critical: over"),
        ("severity", "SEV3 → SEV1: the worst of its alerts"),
    ]


async def test_a_key_stays_as_bad_as_it_was_at_its_worst(connect: Connect, desk: Desk, clock: Clock) -> None:
    for severity in ("error", "critical", "warning", "critical"):
        await enqueue(connect, **grave(severity, component=severity))
    [alert] = await desk.alerts()
    assert (alert.labels["severity"], alert.labels["component"]) == ("critical", "critical")
    assert alert.summary == "Queue is critical"


async def test_a_key_that_has_grown_worse_is_acknowledged_and_resolved_as_it_is_now(
    connect: Connect, desk: Desk, clock: Clock
) -> None:
    await enqueue(connect, **grave("info"))
    await cycle(desk, clock)
    await enqueue(connect, **grave("error"))
    await cycle(desk, clock)
    await act(connect, "acknowledge")
    assert (await desk.incident(1)).acknowledged_at == clock.now
    await act(connect, "resolve")
    await cycle(desk, clock)
    assert await desk.alerts() == []
    assert [incident.status for incident in await desk.incidents()] == ["monitoring"]
    await enqueue(connect, **grave("warning"))
    [alert] = await desk.alerts()
    assert alert.labels["severity"] == "warning"


async def test_a_sources_own_word_says_which_severity_is_worse(connect: Connect, desk: Desk) -> None:
    source = {"name": "queue", "token": "t", "severities": {"critical": "SEV3", "warning": "SEV1"}}
    await desk.reload(Settings.model_validate({**SHOP, **MORE, "intake": {"sources": [source]}}))
    for severity in ("critical", "warning"):
        await enqueue(connect, **{**grave(severity), "routing_key": "t"})
    [alert] = await desk.alerts()
    assert alert.severity == "SEV1"


async def test_triggers_at_once_leave_the_worst_alone(connect: Connect, desk: Desk) -> None:
    words = ["info", "critical", "warning", "error"] * 5
    await asyncio.gather(*(enqueue(connect, **grave(word)) for word in words))
    assert [alert.labels["severity"] for alert in await desk.alerts()] == ["critical"]
    await act(connect, "resolve")
    assert await desk.alerts() == []


async def test_a_trigger_that_is_overtaken_by_a_worse_one_does_not_fire_beside_it(
    connect: Connect, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enqueue(connect, **grave("info"))
    intake = desk.intake

    async def overtaken(alerts: Any, source: str) -> None:
        monkeypatch.setattr(desk, "intake", intake)
        await enqueue(connect, **grave("critical"))
        await intake(alerts, source)

    monkeypatch.setattr(desk, "intake", overtaken)
    await enqueue(connect, **grave("error"))
    assert [alert.labels["severity"] for alert in await desk.alerts()] == ["critical"]


async def test_a_trigger_during_which_its_key_is_resolved_fires_no_longer(
    connect: Connect, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = desk.intake

    async def overtaken(alerts: Any, source: str) -> None:
        monkeypatch.setattr(desk, "intake", intake)
        await act(connect, "resolve")
        await intake(alerts, source)

    monkeypatch.setattr(desk, "intake", overtaken)
    await enqueue(connect)
    assert await desk.alerts() == []


async def test_a_key_that_grows_worse_while_it_is_being_resolved_is_over_whole(
    connect: Connect, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enqueue(connect, **grave("info"))
    intake = desk.intake

    async def overtaken(alerts: Any, source: str) -> None:
        monkeypatch.setattr(desk, "intake", intake)
        await enqueue(connect, **grave("critical"))
        await intake(alerts, source)

    monkeypatch.setattr(desk, "intake", overtaken)
    await act(connect, "resolve")
    assert await desk.alerts() == []


async def test_what_a_crash_left_half_done_is_put_right_by_the_next_word(
    connect: Connect, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enqueue(connect, **grave("info"))

    async def crash(alerts: Any, source: str) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as broken:
        broken.setattr(desk, "intake", crash)
        assert (await enqueue(connect, **grave("critical")))[0] == 503
    await enqueue(connect, **grave("critical"))
    assert [alert.labels["severity"] for alert in await desk.alerts()] == ["critical"]


async def test_a_key_is_acknowledged_and_resolved_by_itself(connect: Connect, desk: Desk, clock: Clock) -> None:
    await enqueue(connect)
    await cycle(desk, clock)
    await connect().post("/v2/enqueue", json={"routing_key": "g", "event_action": "acknowledge", "dedup_key": "queue"})
    assert (await desk.incident(1)).acknowledged_at == clock.now
    clock.forward(minutes=1)
    await connect().post("/v2/enqueue", json={"routing_key": "g", "event_action": "resolve", "dedup_key": "queue"})
    await cycle(desk, clock)
    assert await desk.alerts() == []
    assert (await desk.incident(1)).status == "monitoring"


async def test_an_unknown_key_is_resolved_in_vain(connect: Connect, desk: Desk) -> None:
    body = {"routing_key": "g", "event_action": "resolve", "dedup_key": "nobody"}
    assert (await connect().post("/v2/enqueue", json=body)).status_code == 202
    assert await desk.alerts() == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"routing_key": None}, "'routing_key' is missing or blank"),
        ({"event_action": "explode"}, "'event_action' should be one of trigger, acknowledge, resolve"),
        ({"event_action": "resolve", "dedup_key": None}, "'dedup_key' is missing or blank"),
        ({"payload": "text"}, "'payload' is missing or is no object"),
        ({"payload": {"source": "a", "severity": "info"}}, "'payload.summary' is missing or blank"),
        ({"payload": {**TRIGGER["payload"], "severity": "bad"}}, "'payload.severity' should be one of"),  # type: ignore[dict-item]
        ({"dedup_key": "k" * 256}, "'dedup_key' is longer than 255 characters"),
    ],
)
async def test_an_invalid_event_is_answered_as_pagerduty_does(
    connect: Connect, changes: dict[str, Any], complaint: str
) -> None:
    status, said = await enqueue(connect, **changes)
    assert (status, said["status"], said["message"]) == (400, "invalid event", "Event object is invalid")
    assert complaint in said["errors"][0]


async def test_what_was_changed_is_kept_and_pages_nobody(connect: Connect, desk: Desk, clock: Clock) -> None:
    payload = {"summary": "deploy 4711", "source": "ci", "timestamp": "2026-03-01T08:59:00Z"}
    answer = await connect().post("/v2/change/enqueue", json={"routing_key": "g", "payload": payload})
    assert answer.status_code == 202
    [change] = await desk.events.changes(clock.now.replace(hour=8), clock.now)
    assert (change["summary"], change["origin"], change["at"]) == ("deploy 4711", "ci", "2026-03-01T08:59:00+00:00")
    assert await desk.alerts() == []


async def test_the_old_events_api_is_understood_too(connect: Connect, desk: Desk) -> None:
    body = {"service_key": "g", "event_type": "trigger", "incident_key": "k", "description": "Check is down"}
    answer = await connect().post("/generic/2010-04-15/create_event.json", json=body)
    assert (answer.status_code, answer.json()["incident_key"]) == (200, "k")
    assert [alert.summary for alert in await desk.alerts()] == ["Check is down"]


async def test_once_there_are_sources_the_routing_key_must_be_the_token_of_one(
    connect: Connect, desk: Desk, sourced: None
) -> None:
    assert (await enqueue(connect, routing_key="guess"))[0] == 401
    assert (await enqueue(connect, routing_key="zabbix-token"))[0] == 202
    [alert] = await desk.alerts()
    assert alert.source == "zabbix"


async def test_alertmanagers_webhook_is_taken(connect: Connect, desk: Desk, clock: Clock) -> None:
    answer = await connect().post("/hooks/alertmanager", json=ALERTMANAGER)
    assert (answer.status_code, answer.json()) == (200, {"alerts": 1})
    await cycle(desk, clock)
    assert [incident.service for incident in await desk.incidents()] == ["login"]


async def test_a_source_that_signs_is_heard_only_signed(connect: Connect, sourced: None) -> None:
    raw = json.dumps(ALERTMANAGER).encode()
    signed = {"X-Grafana-Alerting-Signature": hmac.new(b"key", raw, hashlib.sha256).hexdigest()}
    client = connect(token="grafana-token", headers={"Content-Type": "application/json"})
    assert (await client.post("/hooks/grafana", content=raw)).status_code == 401
    assert (await client.post("/hooks/grafana", content=raw + b" ", headers=signed)).status_code == 401
    assert (await client.post("/hooks/grafana", content=raw, headers=signed)).status_code == 200
    assert (await client.post("/api/v2/alerts", json=ALERTMANAGER["alerts"])).status_code == 403


async def test_a_mapping_a_service_and_severities_of_the_sources_own(
    connect: Connect, desk: Desk, clock: Clock, sourced: None
) -> None:
    body = {"name": "Disk", "level": "disaster", "status": "PROBLEM"}
    answer = await connect(token="zabbix-token").post("/hooks/generic", json=body)
    assert answer.status_code == 200
    await cycle(desk, clock)
    [incident] = await desk.incidents()
    assert (incident.service, incident.severity) == ("logistics", "SEV1")


async def test_amazons_plain_text_is_read_where_its_header_says_that_it_is_amazons(
    connect: Connect, desk: Desk
) -> None:
    mapping = {"inside": "$.Message", "labels": {"alertname": "$.AlarmName"}}
    source = {"name": "cloudwatch", "token": "t", "map": mapping}
    await desk.reload(Settings.model_validate({**SHOP, **MORE, "intake": {"sources": [source]}}))
    said = json.dumps({"Type": "Notification", "Message": json.dumps({"AlarmName": "orders-stuck"})})
    plain = {"Content-Type": "text/plain; charset=UTF-8"}
    theirs = connect(token="t", headers={**plain, "x-amz-sns-message-type": "Notification"})
    assert (await connect(token="t", headers=plain).post("/hooks/generic", content=said)).status_code == 415
    assert (await theirs.post("/hooks/grafana", content=said)).status_code == 415
    assert (await theirs.post("/hooks/generic", content=said)).status_code == 200
    assert [alert.name for alert in await desk.alerts()] == ["orders-stuck"]
    deep = json.dumps({"Message": "[" * 70 + "]" * 70})
    assert (await theirs.post("/hooks/generic", content=deep)).status_code == 400


async def test_who_has_no_mapping_is_told_where_to_write_one(connect: Connect) -> None:
    answer = await connect().post("/hooks/generic", json={})
    assert (answer.status_code, "intake.sources" in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize("raw", [b"", b"{", b"[" * 100_000, b"\xff", b'{"alerts": 1e999}'])
async def test_rubbish_is_refused_and_breaks_nothing(connect: Connect, raw: bytes) -> None:
    for path in ("/hooks/alertmanager", "/hooks/grafana", "/hooks/generic", "/v2/enqueue", "/v2/change/enqueue"):
        answer = await connect(headers={"Content-Type": "application/json"}).post(path, content=raw)
        assert answer.status_code == 400, (path, answer.text)


async def test_text_that_is_not_quite_unicode_costs_no_alert(connect: Connect, desk: Desk) -> None:
    client = connect(headers={"Content-Type": "application/json"})
    hooked = json.dumps(ALERTMANAGER).replace("login", "caf\xe9 \\ud800").encode("latin-1")
    assert (await client.post("/hooks/alertmanager", content=hooked)).status_code == 200
    queued = json.dumps(TRIGGER).replace("grows", "w\xe4chst").encode("latin-1")
    assert (await client.post("/v2/enqueue", content=queued)).status_code == 202
    found = await desk.alerts()
    assert sorted(alert.service for alert in found) == ["caf\ufffd \ufffd", "cart"]
    assert "Queue w\ufffdchst" in [alert.summary for alert in found]


@pytest.mark.parametrize("instant", ["Infinity", "-Infinity", "NaN", "1e999999", "9" * 4000, '"' + "9" * 500_000 + '"'])
async def test_an_instant_without_end_holds_nobody_up(connect: Connect, instant: str) -> None:
    """Divided until it is a time, infinity never was one."""
    client = connect(headers={"Content-Type": "application/json"})
    item = f'{{"status": "firing", "labels": {{"a": "b"}}, "startsAt": {instant}}}'
    event = json.dumps({**TRIGGER, "payload": {**TRIGGER["payload"], "timestamp": "T"}}).replace('"T"', instant)  # type: ignore[dict-item]
    async with asyncio.timeout(5):
        for path, body in (("/hooks/grafana", f'{{"alerts": [{",".join([item] * 100)}]}}'), ("/v2/enqueue", event)):
            before = time.thread_time()
            assert (await client.post(path, content=body)).status_code in (200, 202, 400, 413)
            assert time.thread_time() - before < 4  # what it cost was for ever, or twenty seconds


async def test_a_watchdog_pages_nobody_while_it_barks(connect: Connect, desk: Desk, clock: Clock) -> None:
    bark = [{"labels": {"alertname": "Watchdog", "severity": "none"}}]
    await connect().post("/api/v2/alerts", json=bark)
    await cycle(desk, clock)
    assert await desk.incidents() == []
    [shown] = (await connect().get("/api/v2/alerts")).json()
    assert shown["status"]["mutedBy"] == ["dead man's switch: watchdog"]


async def firing(desk: Desk) -> list[str]:
    return sorted(alert.labels["severity"] for alert in await desk.alerts())


async def test_a_recovery_that_names_another_severity_ends_what_fires(
    connect: Connect, desk: Desk, sourced: None
) -> None:
    client = connect(token="zabbix-token")

    async def say(level: str, status: str, name: str = "http") -> None:
        await client.post("/hooks/generic", json={"name": name, "level": level, "status": status})

    await say("WARNING", "PROBLEM")
    await say("CRITICAL", "PROBLEM")
    await say("MINOR", "PROBLEM", "disk")
    await say("OK", "OK")
    assert await firing(desk) == ["MINOR"]
    await say("WARNING", "PROBLEM")
    assert await firing(desk) == ["MINOR", "WARNING"]


async def test_two_severities_of_one_name_are_two_alerts_where_each_ends_by_itself(
    connect: Connect, desk: Desk, sourced: None
) -> None:
    client = connect(token="zabbix-token")
    for level, status in (("WARNING", "PROBLEM"), ("CRITICAL", "PROBLEM"), ("CRITICAL", "OK")):
        await client.post("/hooks/generic", json={"name": "disk", "level": level, "status": status})
    assert await firing(desk) == ["WARNING"]
