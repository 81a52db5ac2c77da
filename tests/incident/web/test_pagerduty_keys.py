"""What is said again under the same PagerDuty key, grows worse, is acknowledged and resolved."""

import asyncio
from typing import Any

import pytest

from incident.desk import Desk
from incident.errors import StoreUnavailable
from incident.settings import Settings
from tests.incident.conftest import SHOP, Clock
from tests.incident.web.conftest import MORE, Connect, Overtaken
from tests.incident.web.pagerduty import TRIGGER, act, enqueue

pytestmark = pytest.mark.anyio


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


async def test_a_key_that_grows_worse_raises_its_incident_which_stays_the_same(
    connect: Connect, desk: Desk, clock: Clock
) -> None:
    of_cart = {"custom_details": {"service": "cart"}, "component": "broker"}
    await enqueue(connect, **grave("warning", **of_cart))
    await desk.cycle(clock.now)
    clock.forward(minutes=1)
    await enqueue(connect, **grave("critical", group="eu"))
    await desk.cycle(clock.now)
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
    await desk.cycle(clock.now)
    await enqueue(connect, **grave("error"))
    await desk.cycle(clock.now)
    await act(connect, "acknowledge")
    assert (await desk.incident(1)).acknowledged_at == clock.now
    await act(connect, "resolve")
    await desk.cycle(clock.now)
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
    connect: Connect, desk: Desk, overtaken: Overtaken
) -> None:
    await enqueue(connect, **grave("info"))
    overtaken(lambda: enqueue(connect, **grave("critical")))
    await enqueue(connect, **grave("error"))
    assert [alert.labels["severity"] for alert in await desk.alerts()] == ["critical"]


async def test_a_trigger_during_which_its_key_is_resolved_fires_no_longer(
    connect: Connect, desk: Desk, overtaken: Overtaken
) -> None:
    overtaken(lambda: act(connect, "resolve"))
    await enqueue(connect)
    assert await desk.alerts() == []


async def test_a_key_that_grows_worse_while_it_is_being_resolved_is_over_whole(
    connect: Connect, desk: Desk, overtaken: Overtaken
) -> None:
    await enqueue(connect, **grave("info"))
    overtaken(lambda: enqueue(connect, **grave("critical")))
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
    await desk.cycle(clock.now)
    await connect().post("/v2/enqueue", json={"routing_key": "g", "event_action": "acknowledge", "dedup_key": "queue"})
    assert (await desk.incident(1)).acknowledged_at == clock.now
    clock.forward(minutes=1)
    await connect().post("/v2/enqueue", json={"routing_key": "g", "event_action": "resolve", "dedup_key": "queue"})
    await desk.cycle(clock.now)
    assert await desk.alerts() == []
    assert (await desk.incident(1)).status == "monitoring"


async def test_an_unknown_key_is_resolved_in_vain(connect: Connect, desk: Desk) -> None:
    body = {"routing_key": "g", "event_action": "resolve", "dedup_key": "nobody"}
    assert (await connect().post("/v2/enqueue", json=body)).status_code == 202
    assert await desk.alerts() == []
