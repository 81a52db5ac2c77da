"""How many orders an incident puts at risk, where a journey reads them."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from incident.core.model import Incident
from incident.desk import Desk
from incident.settings import Settings
from incident.store.tables import measured
from tests.incident.conftest import SHOP, START, Clock, firing, over
from tests.incident.history.conftest import result

pytestmark = pytest.mark.anyio


def shop(otherwise: float | None = 2) -> Settings:
    orders = {"journey": "order-rate", "value": "orders", "otherwise": otherwise}
    services = {**SHOP["services"], "payment": {"title": "Payment", "orders_per_minute": orders}}
    return Settings.model_validate({**SHOP, "services": services})


@pytest.fixture
def settings() -> Settings:
    return shop()


async def read(desk: Desk, clock: Clock, *numbers: object, minutes: float = 5, **more: Any) -> None:
    """Results of the journey one after the other, from now on; it is later afterwards."""
    begin = clock.now
    clock.forward(minutes=minutes * len(numbers))
    ats = [begin + timedelta(minutes=minutes * place) for place in range(len(numbers))]
    await desk.results(
        result(f"{at:%d%H%M}", at, journey="order-rate", **more) | {"measured": {"orders": number}}
        for at, number in zip(ats, numbers, strict=True)
    )


async def fire(desk: Desk, clock: Clock, service: str = "payment", **more: Any) -> Incident:
    await desk.intake([firing(service, clock.now, severity="SEV4", journey="pay", **more)], "prober")
    await desk.cycle(clock.now)
    return (await desk.incidents(open_only=True))[-1]


async def test_what_a_journey_reads_proposes_the_severity_and_is_its_reason(desk: Desk, clock: Clock) -> None:
    await read(desk, clock, *[12.2] * 12)
    incident = await fire(desk, clock)
    assert (incident.severity, incident.reason) == ("SEV1", "payment, about 12 orders a minute at risk")


async def test_one_reading_is_enough(desk: Desk, clock: Clock) -> None:
    await read(desk, clock, 5, minutes=0)
    assert (await fire(desk, clock)).reason == "payment, about 5 orders a minute at risk"


async def test_orders_that_fall_to_nothing_before_anybody_notices_do_not_make_the_loss_small(
    desk: Desk, clock: Clock
) -> None:
    await read(desk, clock, *([12] * 7 + [0] * 5))
    assert (await fire(desk, clock)).severity == "SEV1"


async def test_one_odd_reading_does_not_make_it_large(desk: Desk, clock: Clock) -> None:
    await read(desk, clock, 1.5, 1.5, 900, 1.5, 1.4)
    assert (await fire(desk, clock)).reason == "payment, about 1.5 orders a minute at risk"


async def test_while_an_incident_is_open_what_was_usual_before_it_counts(desk: Desk, clock: Clock) -> None:
    await read(desk, clock, *[12] * 12)
    assert (await fire(desk, clock, name="JourneyDegraded")).severity == "SEV4"
    await read(desk, clock, *[0] * 36)
    incident = await fire(desk, clock)
    assert (incident.number, incident.severity) == (1, "SEV1")
    [raised] = [event for event in await desk.timeline(1) if event.kind == "severity"]
    assert raised.text == "SEV4 → SEV1: payment, about 12 orders a minute at risk"


async def test_what_is_usual_by_now_counts_where_it_is_more_than_before(desk: Desk, clock: Clock) -> None:
    await read(desk, clock, *[0.5] * 12)
    assert (await fire(desk, clock)).severity == "SEV4"
    await read(desk, clock, *[12] * 24)
    assert (await fire(desk, clock, step="Pay")).severity == "SEV1"


async def test_an_alert_that_was_silenced_for_hours_puts_at_risk_what_was_usual_before_it(
    desk: Desk, clock: Clock
) -> None:
    await read(desk, clock, *[12] * 12)
    began = clock.now
    await read(desk, clock, *[0] * 36)
    alert = firing("payment", began, severity="SEV4", journey="pay")
    await desk.intake([type(alert)(alert.labels, began, clock.now + timedelta(minutes=5), alert.annotations)], "prober")
    await desk.cycle(clock.now)
    assert [incident.severity for incident in await desk.incidents()] == ["SEV1"]


async def test_trouble_elsewhere_does_not_bring_up_what_was_usual_before_it(desk: Desk, clock: Clock) -> None:
    await read(desk, clock, *[12] * 12)
    await fire(desk, clock, "catalog")  # nothing on the way to a payment needs it here
    await read(desk, clock, *[3] * 24)
    assert (await fire(desk, clock)).reason == "payment, about 3 orders a minute at risk"


async def test_trouble_that_began_more_than_a_day_ago_says_nothing_of_now(desk: Desk, clock: Clock) -> None:
    await read(desk, clock, *[12] * 12)
    await fire(desk, clock, name="JourneyDegraded")
    clock.forward(hours=24)
    await read(desk, clock, *[3] * 12)
    await fire(desk, clock)
    [raised] = [event for event in await desk.timeline(1) if event.kind == "severity"]
    assert raised.text == "SEV4 → SEV2: payment, about 3 orders a minute at risk"


async def test_the_number_of_the_settings_holds_while_nothing_recent_is_known(desk: Desk, clock: Clock) -> None:
    await read(desk, clock, *[12] * 12)
    clock.forward(hours=2, minutes=6)
    assert (await fire(desk, clock)).reason == "payment, about 2 orders a minute at risk"


async def test_without_one_no_orders_are_at_risk(desk: Desk, clock: Clock) -> None:
    await desk.reload(shop(otherwise=None))
    assert (await fire(desk, clock)).reason is None


async def test_what_is_named_from_now_on_is_kept_from_now_on(desk: Desk, clock: Clock) -> None:
    await desk.reload(Settings.model_validate(SHOP))
    await read(desk, clock, *[12] * 3)
    assert await kept(desk) == []
    await desk.reload(shop())
    await read(desk, clock, 5)
    assert await kept(desk) == [5.0]


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"outcome": "down"}, id="of a failed run"),
        pytest.param({"measured": {"orders": "12"}}, id="text"),
        pytest.param({"measured": {"orders": -1}}, id="less than nothing"),
        pytest.param({"measured": {"orders": True}}, id="a truth"),
        pytest.param({"measured": {"orders": float("nan")}}, id="no number"),
        pytest.param({"measured": {"orders": 10**400}}, id="too large"),
        pytest.param({"measured": [12]}, id="a list"),
        pytest.param({"measured": {"visits": 12}}, id="of another name"),
        pytest.param({"journey": "another"}, id="of another journey"),
        pytest.param({"started_at": (START + timedelta(hours=3)).isoformat()}, id="from the future"),
    ],
)
async def test_this_measures_nothing(more: dict[str, Any], desk: Desk, clock: Clock) -> None:
    one = result("r1", clock.now, journey="order-rate") | {"measured": {"orders": 12}} | more
    await desk.results([one])
    assert await kept(desk) == []


async def kept(desk: Desk) -> list[float]:
    def job(connection: Connection) -> list[float]:
        return list(connection.execute(select(measured.c.highest).order_by(measured.c.slot)).scalars())

    return await desk.database.read(job)


async def test_results_late_twice_and_out_of_order_change_nothing(desk: Desk, clock: Clock) -> None:
    for numbers in ([4, 7, 5], [7], [6, 2], [9, 9, 9, 9, 9, 3]):
        clock.now = START
        await read(desk, clock, *numbers, minutes=1, location="there")
    assert await kept(desk) == [9.0, 3.0]


async def test_what_is_past_its_time_is_removed(desk: Desk, clock: Clock) -> None:
    await read(desk, clock, 4)
    clock.forward(days=1)
    await read(desk, clock, 5)
    await desk.history.prune(START + timedelta(days=399))
    assert await kept(desk) == [4.0, 5.0]
    await desk.history.prune(START + timedelta(days=400, hours=1))
    assert await kept(desk) == [5.0]


async def test_a_review_counts_the_orders_that_were_usual_before(desk: Desk, clock: Clock) -> None:
    await read(desk, clock, *[12] * 12)
    await fire(desk, clock)
    began = clock.now
    await read(desk, clock, *[0] * 24)
    await desk.intake([over(firing("payment", began, severity="SEV4", journey="pay"), clock.now)], "prober")
    await desk.cycle(clock.now)
    orders = (await desk.reviews.of(1)).facts["impact"]["orders"]
    assert orders["by_service"] == [{"service": "payment", "per_minute": 12.0, "minutes": 120.0, "orders": 1440}]
