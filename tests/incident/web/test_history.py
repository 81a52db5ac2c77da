from datetime import timedelta
from typing import Any

import pytest

from incident.desk import Desk
from tests.incident.conftest import START, Clock
from tests.incident.history.conftest import result
from tests.incident.web.conftest import Connect

pytestmark = pytest.mark.anyio
BASE = "/api/v1/journeys/checkout"


async def reported(desk: Desk, **more: Any) -> None:
    """Twenty good runs a minute apart, then two that were down."""
    await desk.results([result(f"r{number}", START + timedelta(minutes=number), **more) for number in range(20)])
    await desk.results([result(f"d{number}", START + timedelta(minutes=number), "down", **more) for number in (20, 21)])


async def test_how_a_journey_did_is_told(connect: Connect, tokens: dict[str, str], desk: Desk, clock: Clock) -> None:
    await reported(desk, slo=0.9)
    clock.forward(hours=1)
    found = (await connect(tokens["source"]).get(BASE)).json()
    assert (found["runs"], found["down"], found["locations"]) == (22, 2, ["local"])
    assert found["failing"] == [{"step": "pay", "reason": "status", "count": 2}]
    assert found["last"][0]["run_id"] == "d21"
    assert (found["budgets"][0]["slo"], found["budgets"][0]["remaining"]) == (0.9, pytest.approx(1 - 2 / 2.2, abs=1e-4))


async def test_hours_and_days_are_told(connect: Connect, tokens: dict[str, str], desk: Desk, clock: Clock) -> None:
    await reported(desk)
    clock.forward(hours=1)
    client = connect(tokens["viewer"])
    for step, at in (("hour", "2026-03-01T09:00:00+00:00"), ("day", "2026-03-01T00:00:00+00:00")):
        [point] = (await client.get(f"{BASE}/history", params={"step": step, "from": "2026-02-27T00:00:00Z"})).json()
        assert (point["at"], point["runs"], point["down"]) == (at, 22, 2)


async def test_runs_are_told_page_by_page(connect: Connect, tokens: dict[str, str], desk: Desk, clock: Clock) -> None:
    await reported(desk)
    clock.forward(hours=1)
    client = connect(tokens["viewer"])
    page = (await client.get(f"{BASE}/runs", params={"limit": 12})).json()
    rest = (await client.get(f"{BASE}/runs", params={"limit": 12, "before": page["next"]})).json()
    assert [run["run_id"] for run in page["runs"]][:3] == ["d21", "d20", "r19"]
    assert (len(rest["runs"]), rest["next"]) == (10, None)
    failed = (await client.get(f"{BASE}/runs", params={"failed": "true"})).json()["runs"]
    assert [run["steps"][1]["seen"] for run in failed] == ["status 503: out of order"] * 2


async def test_the_name_of_a_journey_may_hold_a_slash(connect: Connect, tokens: dict[str, str], desk: Desk) -> None:
    await desk.results([result("a", journey="uk/checkout")])
    client = connect(tokens["viewer"])
    for path in ("", "/runs", "/history"):
        assert (await client.get(f"/api/v1/journeys/uk%2Fcheckout{path}")).status_code == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("/nothing", 404),
        ("?location=oslo", 404),
        ("?since=yesterday", 400),
        ("?since=2026-03-01T09:00:00", 400),
        ("?since=0001-01-01T00:00:00Z", 200),
        ("?since=9999-12-31T23:59:59Z", 200),
        ("/runs?limit=0", 400),
        ("/runs?limit=100000", 400),
        ("/runs?before=0001-01-01T00:00:00%2B14:00", 200),
        ("/history?step=minute", 400),
        ("/history?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", 400),
        ("/history?from=1990-01-01T00:00:00Z", 400),
        ("/history?step=day&from=1999-01-01T00:00:00Z&to=2026-03-02T00:00:00Z", 200),
        ("/history?to=0001-01-01T00:00:00Z", 400),
    ],
)
async def test_what_makes_no_sense_is_refused(
    connect: Connect, tokens: dict[str, str], desk: Desk, query: str, status: int
) -> None:
    await desk.results([result("a")])
    response = await connect(tokens["viewer"]).get(BASE + query)
    assert response.status_code == status, response.text


async def test_the_budget_is_a_metric(connect: Connect, tokens: dict[str, str], desk: Desk, clock: Clock) -> None:
    await reported(desk, slo=0.9)
    clock.forward(hours=1)
    text = (await connect(tokens["source"]).get("/metrics")).text
    [line] = [line for line in text.splitlines() if line.startswith("shopwatch_slo_error_budget_remaining_ratio{")]
    assert line.startswith('shopwatch_slo_error_budget_remaining_ratio{journey="checkout",service="checkout"} 0.09')
