"""Whose fault it is that a step had too little time: its own, the steps' before it, the wait's for an account."""

import asyncio
import re
from typing import Any

import pytest

from probes.result import Reason
from probes.running.context import RunContext
from tests.probes.shop import Reply, Request, Shop
from tests.probes.walks import failing

pytestmark = [pytest.mark.anyio, pytest.mark.by_the_clock]


async def test_a_step_that_those_before_it_left_no_time_says_so(shop: Shop, context: RunContext) -> None:
    async def slow(_: Request) -> Reply:
        await asyncio.sleep(0.25)
        return Reply("ok")

    shop.pages["/"] = slow
    step = await failing(shop, context, {"get": "/", "name": "slow"}, {"get": "/"}, timeout="400ms")
    assert step.reason is Reason.TIMEOUT
    assert re.search(r"only 0\.1\d? s of the run's 400ms were left for it", step.seen or "")
    alone = await failing(shop, context, {"get": "/"}, timeout="100ms")
    assert "were left" not in (alone.seen or "")


async def test_a_step_that_waiting_for_an_account_left_no_time_says_so(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: asyncio.sleep(60)
    lease = context.accounts.try_lease(["buyer"])
    assert lease is not None
    asyncio.get_running_loop().call_later(0.3, lease.release)
    accounts = [{"user": "buyer", "password": "p"}]
    step = await failing(shop, context, {"get": "/"}, timeout="400ms", accounts=accounts)
    assert re.search(r"were left for it, 0\.3\d? s had gone by waiting for a free account", step.seen or "")
    assert step.reason is Reason.PROBER


@pytest.mark.parametrize(
    ("waiting", "more"),
    [(0.15, {}), (0.3, {"timeout": "60ms"}), (0.3, {"until": {"status": 200}, "within": "50ms", "poll": "20ms"})],
    ids=["half of the run's time was left", "its own timeout was left", "all that it is waited for was left"],
)
async def test_a_step_that_had_its_usual_time_after_the_wait_for_an_account_is_the_shops(
    shop: Shop, context: RunContext, waiting: float, more: dict[str, Any]
) -> None:
    shop.pages["/"] = lambda _: asyncio.sleep(60)
    lease = context.accounts.try_lease(["buyer"])
    assert lease is not None
    asyncio.get_running_loop().call_later(waiting, lease.release)
    accounts = [{"user": "buyer", "password": "p"}]
    step = await failing(shop, context, {"get": "/", **more}, timeout="500ms", accounts=accounts)
    assert step.reason in (Reason.TIMEOUT, Reason.FRESHNESS)


async def test_an_until_that_waiting_for_an_account_cut_short_is_not_the_shops(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("not yet", 404)
    lease = context.accounts.try_lease(["buyer"])
    assert lease is not None
    asyncio.get_running_loop().call_later(0.3, lease.release)
    wait = {"get": "/", "until": {"status": 200}, "within": "300ms", "poll": "20ms"}
    step = await failing(shop, context, wait, timeout="400ms", accounts=[{"user": "buyer", "password": "p"}])
    assert step.reason is Reason.PROBER
