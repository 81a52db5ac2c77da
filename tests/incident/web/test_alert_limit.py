"""`limit` on the alerts, which our own commands ask for: the first of what Alertmanager's clients would be told."""

from datetime import timedelta

import pytest

from incident.desk import Desk
from probes.alert import Alert
from tests.incident.conftest import Clock, firing
from tests.incident.web.conftest import Connect

pytestmark = pytest.mark.anyio
PATH = "/api/v2/alerts"


@pytest.fixture
async def twenty(desk: Desk, clock: Clock) -> list[Alert]:
    """Fire, the oldest last."""
    services = ("payment", "login")
    made = [
        firing(services[number % 2], clock() - timedelta(seconds=number // 3), f"A{number}", f"SEV{number % 3 + 1}")
        for number in range(20)
    ]
    await desk.intake(made, "prober")
    return made


@pytest.mark.parametrize(
    "asked",
    ["", "filter=service%3Dpayment", "receiver=hook", "active=false", "silenced=false", "receiver_matchers=a%3Db"],
)
@pytest.mark.parametrize("most", [1, 7, 19, 20, 500])
async def test_the_oldest_so_many_come(connect: Connect, twenty: list[Alert], asked: str, most: int) -> None:
    client = connect()
    everything = (await client.get(f"{PATH}?{asked}")).json()
    expected = sorted(everything, key=lambda one: (one["startsAt"], one["fingerprint"]))[:most]
    found = (await client.get(f"{PATH}?{asked}&limit={most}")).json()
    if most < len(everything):
        assert found == expected
    else:
        assert sorted(found, key=str) == sorted(everything, key=str)


@pytest.mark.parametrize("most", ["", "0", "-1", "many", "1e3", "²", "99999999999999999999"])
async def test_a_limit_that_is_none_limits_nothing(connect: Connect, twenty: list[Alert], most: str) -> None:
    response = await connect().get(PATH, params={"limit": most})
    assert (response.status_code, len(response.json())) == (200, 20)


@pytest.mark.parametrize("bad", ["filter=%7B", "receiver=%28", "receiver_matchers=%7B"])
async def test_what_makes_no_sense_is_refused_with_a_limit_too(connect: Connect, bad: str) -> None:
    assert (await connect().get(f"{PATH}?limit=5&{bad}")).status_code == 400
