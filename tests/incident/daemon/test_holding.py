from datetime import timedelta
from typing import Any

import pytest

from incident.core.muting.silences import Silence
from incident.desk import Desk
from incident.settings import Settings
from incident.silences import store
from probes.labels import parse_matcher
from tests.incident.conftest import SHOP, START, Clock, firing, over

pytestmark = pytest.mark.anyio

QUIET: dict[str, Any] = {
    "inhibit": [{"source": ["severity=SEV1"], "target": ["severity=~SEV2|SEV3"], "equal": ["service"]}],
    "maintenance": [
        {"name": "Move", "services": ["catalog"], "from": "2026-03-01T10:00", "to": "2026-03-01T11:00"},
        {"name": "Nightly", "journeys": ["export"], "cron": "0 3 * * *", "for": "1h"},
    ],
}


@pytest.fixture
def settings() -> Settings:
    return Settings.model_validate({**SHOP, **QUIET})


async def silence(desk: Desk, *matchers: str, minutes: float = 60, name: str = "quiet") -> None:
    now = desk.now()
    made = Silence(
        name,
        tuple(parse_matcher(text) for text in matchers),
        now,
        now + timedelta(minutes=minutes),
        "mara",
        "known",
        now,
    )
    await desk.database.write(lambda connection: store.save(connection, made))


async def muted(desk: Desk) -> dict[str, list[str]]:
    """By name and service, who is held back by what, as the API shows it."""
    found = {}
    for alert in await desk.alerts():
        if alert.muted is not None:
            found[f"{alert.name} {alert.service}"] = [why for all_why in alert.muted.values() for why in all_why]
    return found


async def opened(desk: Desk) -> list[str]:
    await desk.cycle(desk.now())
    return [incident.service for incident in await desk.incidents()]


async def test_a_silenced_alert_opens_nothing_and_is_shown_as_silenced_at_once(desk: Desk) -> None:
    await silence(desk, "service=payment")
    await desk.intake([firing("payment"), firing("login")], "prober")
    assert await muted(desk) == {"JourneyDown payment": ["quiet"]}  # before the engine has looked
    assert await opened(desk) == ["login"]
    assert await muted(desk) == {"JourneyDown payment": ["quiet"]}


async def test_when_a_silence_ends_what_still_fires_is_decided_on(desk: Desk, clock: Clock) -> None:
    await silence(desk, "service=payment", minutes=3)
    await desk.intake([firing("payment")], "prober")
    assert await opened(desk) == []
    assert await desk.cycle(clock()) == START + timedelta(minutes=3)  # when it ends
    clock.forward(minutes=3)
    assert await muted(desk) == {}
    assert await opened(desk) == ["payment"]


async def test_a_silence_is_not_wiped_by_a_re_fire(desk: Desk, clock: Clock) -> None:
    await silence(desk, "service=payment")
    alert = firing("payment")
    await desk.intake([alert], "prober")
    assert await opened(desk) == []
    await desk.intake([over(alert, clock.forward(minutes=1))], "prober")
    assert await opened(desk) == []
    await desk.intake([firing("payment", clock.forward(minutes=1))], "prober")
    assert await opened(desk) == []
    assert await muted(desk) == {"JourneyDown payment": ["quiet"]}


async def test_an_incident_that_is_open_stays_open_and_hears_that_its_silenced_alert_is_over(
    desk: Desk, clock: Clock
) -> None:
    alert = firing("payment")
    await desk.intake([alert], "prober")
    assert await opened(desk) == ["payment"]
    await silence(desk, "service=payment")
    await desk.cycle(clock())
    [incident] = await desk.incidents(open_only=True)
    assert incident.status == "investigating" and list(await muted(desk)) == ["JourneyDown payment"]
    await desk.intake([over(alert, clock.forward(minutes=1))], "prober")
    await desk.cycle(clock())
    [incident] = await desk.incidents(open_only=True)
    assert incident.status == "monitoring" and await muted(desk) == {}


async def test_a_repeat_of_an_alert_that_is_held_back_gives_the_engine_nothing_to_do(desk: Desk, clock: Clock) -> None:
    await silence(desk, "service=payment")
    await desk.intake([firing("payment")], "prober")
    await desk.cycle(clock())
    desk.wake.clear()
    await desk.intake([firing("payment")], "prober")
    assert not desk.wake.is_set()


async def test_an_alert_is_quiet_while_a_worse_one_of_its_service_fires(desk: Desk, clock: Clock) -> None:
    cause, effect = firing("payment", name="Dead", severity="SEV1"), firing("payment", name="Slow")
    await desk.intake([effect, firing("login", name="Slow")], "prober")
    assert sorted(await opened(desk)) == ["login", "payment"]
    await desk.intake([cause], "prober")
    await desk.cycle(clock())
    assert await muted(desk) == {"Slow payment": [cause.fingerprint]}
    await desk.intake([over(cause, clock.forward(seconds=30))], "prober")
    await desk.cycle(clock())
    assert await muted(desk) == {}


async def test_what_an_inhibited_alert_had_to_say_is_heard_once_its_inhibitor_is_over(desk: Desk, clock: Clock) -> None:
    cause, effect = firing("payment", name="Dead", severity="SEV1"), firing("payment", name="Slow")
    await desk.intake([cause, effect], "prober")
    await desk.cycle(clock())
    [incident] = await desk.incidents()
    assert list(incident.alerts) == [cause.fingerprint]
    await desk.intake([over(cause, clock.forward(seconds=30))], "prober")
    await desk.cycle(clock())
    [incident] = await desk.incidents()
    assert list(incident.alerts) == [cause.fingerprint, effect.fingerprint]
    assert incident.status == "investigating"


async def test_maintenance_of_a_service_mutes_it_and_what_needs_it(desk: Desk, clock: Clock) -> None:
    clock.forward(hours=1)
    now = clock()
    await desk.intake([firing("cart", now), firing("catalog", now), firing("payment", now)], "prober")
    assert await opened(desk) == ["payment"]
    assert await muted(desk) == {
        "JourneyDown cart": ["maintenance: Move"],
        "JourneyDown catalog": ["maintenance: Move"],
    }
    clock.forward(hours=1)
    assert "catalog" not in await opened(desk)  # nobody has sent it again meanwhile: it is stale
    await desk.intake([firing("catalog", clock())], "prober")
    assert "catalog" in await opened(desk)


async def test_a_window_that_opens_while_nothing_else_happens_is_noticed(desk: Desk, clock: Clock) -> None:
    long = firing("payment", journey="export")
    await desk.intake([over(long, START + timedelta(days=2))], "prober")
    assert await opened(desk) == ["payment"]
    assert await desk.cycle(clock()) == START + timedelta(hours=1)  # the move begins
    clock.now = START + timedelta(hours=18)  # three at night
    await desk.cycle(clock())
    assert await muted(desk) == {"JourneyDown payment": ["maintenance: Nightly"]}


async def test_what_a_broken_transaction_had_judged_is_judged_again(
    desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause, effect = firing("payment", name="Dead", severity="SEV1"), firing("payment", name="Slow")
    await desk.intake([effect], "prober")
    await desk.cycle(clock())
    await desk.intake([cause], "prober")

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("incident.daemon.engine._time", broken)
    with pytest.raises(ZeroDivisionError):
        await desk.cycle(clock())
    monkeypatch.undo()
    await desk.cycle(clock())
    assert await muted(desk) == {"Slow payment": [cause.fingerprint]}


async def test_a_stage_with_a_defect_holds_nothing_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("incident.core.muting.inhibitions.Inhibitions.mute", broken)
    await desk.intake([firing("payment")], "prober")
    assert await opened(desk) == ["payment"]
    assert await muted(desk) == {}
