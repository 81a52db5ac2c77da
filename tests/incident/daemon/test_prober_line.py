import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from incident.daemon.prober_line import ProberAway, ProberLine, RunRefused
from probes.language.journey import Journey
from probes.prober.on_demand import OnDemand
from probes.result import Outcome, Result

pytestmark = pytest.mark.anyio


def journey(name: str, **more: Any) -> Journey:
    steps = [{"get": "http://shop.example/"}]
    return Journey.model_validate({"journey": name, "service": "login", "every": "30s", "steps": steps, **more})


JOURNEYS = {one.name: one for one in (journey("look"), journey("buy", mutates="order"))}


async def walked(one: Journey) -> Result:
    return Result(one.name, one.service, "r1", Outcome.UP, datetime(2026, 3, 1, tzinfo=UTC), one.timeout)


async def never(one: Journey) -> Result:
    await asyncio.sleep(3600)
    raise AssertionError


@asynccontextmanager
async def connected(run: Any = walked) -> AsyncIterator[tuple[ProberLine, asyncio.Task[None]]]:
    line = ProberLine()
    theirs = await line.hand_down()
    prober = asyncio.create_task(OnDemand(lambda: JOURNEYS, run).serve(theirs))
    try:
        yield line, prober
    finally:
        line.close()
        prober.cancel()
        await asyncio.gather(prober, return_exceptions=True)


async def test_the_prober_runs_what_it_is_asked_for_within_the_askers_time() -> None:
    async with connected() as (line, _):
        result = await line.run("look", 3.0, any_depth=False)
    assert (result["journey"], result["outcome"], result["duration_s"]) == ("look", "up", 3.0)


async def test_several_ask_at_once_and_each_gets_its_own_answer() -> None:
    async with connected() as (line, _):
        results = await asyncio.gather(*(line.run(name, 3.0, any_depth=True) for name in ("look", "buy") * 5))
    assert [result["journey"] for result in results] == ["look", "buy"] * 5


async def test_a_journey_that_writes_into_the_shop_is_for_those_who_may() -> None:
    async with connected() as (line, _):
        with pytest.raises(RunRefused, match="mutates: order") as refused:
            await line.run("buy", 3.0, any_depth=False)
    assert refused.value.kind == "depth"


async def test_a_journey_that_is_not_there_is_said_to_be_unknown() -> None:
    async with connected() as (line, _):
        with pytest.raises(RunRefused, match="no journey 'nosuch'"):
            await line.run("nosuch", 3.0, any_depth=False)


async def test_more_runs_than_the_prober_takes_are_refused_and_not_queued() -> None:
    async with connected(never) as (line, _):
        asked = [asyncio.create_task(line.run("look", 100.0, any_depth=False)) for _ in range(33)]
        done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        [refused] = [task.exception() for task in done]
        assert isinstance(refused, RunRefused)
        assert refused.kind == "busy"
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)


async def test_who_waits_hears_at_once_that_the_prober_has_died() -> None:
    async with connected(never) as (line, prober):
        asked = asyncio.create_task(line.run("look", 100.0, any_depth=False))
        await asyncio.sleep(0)
        prober.cancel()
        with pytest.raises(ProberAway, match="ended before"):
            await asyncio.wait_for(asked, 60.0)
        with pytest.raises(ProberAway):
            await line.run("look", 1.0, any_depth=False)
