"""Alerts from programs of other makers: Alertmanager, Grafana, Zabbix, Amazon and whoever can be mapped."""

import asyncio
import hashlib
import hmac
import json
import time

import pytest

from incident.desk import Desk
from incident.settings import Settings
from tests.incident.conftest import SHOP, Clock
from tests.incident.web.conftest import MORE, Connect
from tests.incident.web.pagerduty import TRIGGER, enqueue

pytestmark = pytest.mark.anyio

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
    await desk.cycle(clock.now)
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
    await desk.cycle(clock.now)
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


@pytest.mark.by_the_clock
@pytest.mark.parametrize("instant", ["Infinity", "-Infinity", "NaN", "1e999999", "9" * 4000, '"' + "9" * 500_000 + '"'])
async def test_an_instant_without_end_holds_nobody_up(connect: Connect, instant: str) -> None:
    """Divided until it is a time, infinity never was one."""
    client = connect(headers={"Content-Type": "application/json"})
    item = f'{{"status": "firing", "labels": {{"a": "b"}}, "startsAt": {instant}}}'
    event = json.dumps({**TRIGGER, "payload": {**TRIGGER["payload"], "timestamp": "T"}}).replace('"T"', instant)
    async with asyncio.timeout(60):
        for path, body in (("/hooks/grafana", f'{{"alerts": [{",".join([item] * 100)}]}}'), ("/v2/enqueue", event)):
            before = time.thread_time()
            assert (await client.post(path, content=body)).status_code in (200, 202, 400, 413)
            assert time.thread_time() - before < 4  # what it cost was for ever, or twenty seconds


async def test_a_watchdog_pages_nobody_while_it_barks(connect: Connect, desk: Desk, clock: Clock) -> None:
    bark = [{"labels": {"alertname": "Watchdog", "severity": "none"}}]
    await connect().post("/api/v2/alerts", json=bark)
    await desk.cycle(clock.now)
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
