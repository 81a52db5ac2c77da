"""Steps that wait until something holds, and the time that a run and its steps have."""

import asyncio
from collections.abc import Iterator

import pytest

from probes.result import Outcome, Reason
from probes.running.context import RunContext
from tests.probes.shop import Reply, Shop, as_json
from tests.probes.walks import failing, run

pytestmark = pytest.mark.anyio


async def test_until_asks_again_until_it_holds(shop: Shop, context: RunContext) -> None:
    answers = iter([Reply("down", 500), as_json({"state": "New"}), Reply("not json"), as_json({"state": "Shipped"})])
    shop.pages["/"] = lambda _: next(answers)
    until = {"json": {"$.state": "Shipped"}}
    result = await run(shop, context, {"get": "/", "until": until, "within": "25s", "poll": "10ms"})
    assert (result.outcome, result.steps[0].attempts) == (Outcome.UP, 4)
    assert "connect" not in result.steps[0].phases  # they are those of the last attempt, on the connection of the first


async def test_until_polls_through_transport_errors(shop: Shop, context: RunContext) -> None:
    answers: Iterator[Reply | None] = iter([None, Reply("ready")])  # None hangs up
    shop.pages["/"] = lambda _: next(answers)
    step = {"get": "/", "until": {"body": {"contains": "ready"}}, "within": "25s", "poll": "10ms"}
    assert (await run(shop, context, step)).outcome is Outcome.UP


@pytest.mark.by_the_clock
async def test_an_until_that_never_holds_is_freshness(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: as_json({"state": "New"})
    until = {"json": {"$.state": {"in": ["Shipped", "Delivered"]}}}
    step = await failing(shop, context, {"get": "/", "until": until, "within": "100ms", "poll": "30ms"})
    assert step.reason is Reason.FRESHNESS
    assert "within 100ms" in (step.expected or "")
    assert '"New"' in (step.seen or "")
    assert 2 <= step.attempts <= 4


@pytest.mark.by_the_clock
async def test_an_until_whose_target_hangs_is_freshness_in_time(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: asyncio.sleep(60)
    result = await run(shop, context, {"get": "/", "until": {"status": 200}, "within": "150ms", "poll": "20ms"})
    assert result.steps[0].reason is Reason.FRESHNESS
    assert result.duration_s < 1


@pytest.mark.by_the_clock
async def test_an_attempt_that_time_cuts_off_does_not_hide_what_was_seen_before(
    shop: Shop, context: RunContext
) -> None:
    answers = iter([as_json({"state": "Lost"})])
    shop.pages["/"] = lambda _: next(answers, None) or asyncio.sleep(60)
    until = {"json": {"$.state": "Shipped"}}
    step = await failing(shop, context, {"get": "/", "until": until, "within": "1s", "poll": "10ms"})
    assert step.seen == 'after 2 attempts: "Lost"'


async def test_a_401_while_waiting_is_polled_through(shop: Shop, context: RunContext) -> None:
    answers = iter([Reply("", 401), Reply("ok")])
    shop.pages["/"] = lambda _: next(answers)
    step = {"get": "/", "until": {"status": 200}, "within": "25s", "poll": "10ms"}
    assert (await run(shop, context, step)).outcome is Outcome.UP


async def test_until_can_wait_for_something_to_go_away(shop: Shop, context: RunContext) -> None:
    answers = iter([Reply("still here"), Reply("gone", 404)])
    shop.pages["/"] = lambda _: next(answers)
    step = {"get": "/", "until": {"status": 404}, "within": "25s", "poll": "10ms"}
    assert (await run(shop, context, step)).outcome is Outcome.UP


@pytest.mark.by_the_clock
async def test_the_waits_of_until_do_not_count_as_slow(shop: Shop, context: RunContext) -> None:
    answers = iter([Reply("", 500), Reply("ok")])
    shop.pages["/"] = lambda _: next(answers)
    expect = {"slower_than": {"degraded": "80ms"}}
    step = {"get": "/", "until": {"status": 200}, "within": "25s", "poll": "100ms", "expect": expect}
    assert (await run(shop, context, step)).outcome is Outcome.UP


# Time


@pytest.mark.by_the_clock
async def test_a_run_ends_at_its_timeout(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: asyncio.sleep(60)
    result = await run(shop, context, {"get": "/"}, {"get": "/"}, timeout="200ms")
    assert [step.reason for step in result.steps] == [Reason.TIMEOUT, None]
    assert result.duration_s < 1


@pytest.mark.by_the_clock
async def test_a_step_may_have_less_time_than_the_run(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: asyncio.sleep(60)
    result = await run(shop, context, {"get": "/", "timeout": "100ms"})
    assert result.steps[0].reason is Reason.TIMEOUT
    assert result.duration_s < 1
