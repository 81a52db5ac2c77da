"""The accounts that runs shop with: each by one at a time."""

import asyncio

import pytest

from probes.result import Outcome, Reason
from probes.running.context import RunContext
from probes.running.runner import run_journey
from tests.probes.shop import Reply, Request, Shop
from tests.probes.walks import failing, run

pytestmark = pytest.mark.anyio


async def test_a_run_waits_for_an_account_within_its_timeout(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("ok")
    taken = context.accounts.try_lease(["a@x"])
    assert taken is not None
    accounts = [{"user": "a@x", "password": "p"}]
    failed = await failing(shop, context, {"get": "/"}, accounts=accounts, timeout="100ms")
    assert (failed.reason, failed.expected) == (Reason.PROBER, "a free account in time")
    asyncio.get_running_loop().call_later(0.05, taken.release)
    result = await run(shop, context, {"get": "/"}, accounts=accounts)
    assert (result.outcome, result.account) == (Outcome.UP, "a@x")


async def test_two_runs_at_once_never_share_a_shopper(shop: Shop, context: RunContext) -> None:
    async def slow(_: Request) -> Reply:
        await asyncio.sleep(0.05)
        return Reply("ok")

    shop.pages["/"] = slow
    accounts = [{"user": "a@x", "password": "p"}, {"user": "b@x", "password": "p"}]
    journey = shop.journey({"get": "/"}, accounts=accounts)
    results = await asyncio.gather(run_journey(journey, context), run_journey(journey, context))
    assert {result.account for result in results} == {"a@x", "b@x"}


async def test_the_account_brings_its_headers_and_cookies(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("ok")
    account = {"user": "a@x", "password": "p", "headers": {"X-Key": "k-1"}, "cookies": {"consent": "yes"}}
    await run(shop, context, {"get": "/"}, accounts=[account])
    assert shop.requests[0].headers["x-key"] == "k-1"
    assert shop.requests[0].headers["cookie"] == "consent=yes"
