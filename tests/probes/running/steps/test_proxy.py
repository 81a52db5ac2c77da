"""A journey by way of a proxy."""

import pytest

from probes.running.context import RunContext
from tests.probes.running.steps.asking import failing, up
from tests.probes.shop import Reply, Shop

pytestmark = pytest.mark.anyio


async def test_a_journey_goes_by_way_of_its_proxy(context: RunContext, shop: Shop) -> None:
    shop.pages["http://shop.example/"] = lambda _: Reply("through")
    proxy = shop.url.replace("//", "//me:pass-word-1@")
    await up(context, {"get": "/", "expect": {"body": "through"}}, base="http://shop.example", proxy=proxy)
    assert shop.requests[0].headers["proxy-authorization"].startswith("Basic ")
    failed = await failing(context, {"get": "/no"}, base="http://shop.example", proxy=proxy)
    assert '--proxy http://me:"$PROXY_PASSWORD"@127.0.0.1' in (failed.curl or "")
