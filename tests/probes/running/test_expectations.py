"""What a step expects of an answer, of its values and of its time."""

import asyncio
from typing import Any

import pytest

from probes.result import Outcome, Reason
from probes.running.context import RunContext
from probes.running.performing import shown_time
from tests.probes.shop import Reply, Request, Shop
from tests.probes.walks import failing, run

pytestmark = pytest.mark.anyio


async def test_the_first_expectation_that_fails_names_the_reason(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply('{"total": 0}', 503, [("X-A", "1")], kind="application/json")
    expect: dict[str, Any] = {
        "status": 200,
        "header": {"X-A": "2"},
        "cookie": {"sid": "present"},
        "body": {"contains": "BOOK"},
        "json": {"$.total": {"gt": 0}},
        "html": {"h1": "present"},
    }
    seen = []
    for key in ("status", "header", "cookie", "body", "json", "html"):
        step = await failing(shop, context, {"get": "/", "expect": {"status": 503} | expect})
        seen.append(str(step.reason))
        del expect[key]
    assert seen == ["status", "header", "cookie", "body", "json", "html"]


@pytest.mark.parametrize("status", [401, 403])
async def test_an_unexpected_401_or_403_is_auth(shop: Shop, context: RunContext, status: int) -> None:
    shop.pages["/"] = lambda _: Reply("who are you?", status)
    assert (await failing(shop, context, {"get": "/"})).reason is Reason.AUTH
    assert (await run(shop, context, {"get": "/", "expect": {"status": status}})).outcome is Outcome.UP


async def test_numbers_in_json_are_compared_as_decimals(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply('{"items": 0.1, "shipping": 0.2}', kind="application/json")
    save = {"items": {"json": "$.items"}, "shipping": {"json": "$.shipping"}}
    result = await run(shop, context, {"get": "/", "save": save}, {"check": "{{ items + shipping == 0.3 }}"})
    assert result.outcome is Outcome.UP


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "text/plain"])
async def test_a_byte_order_mark_before_json_is_ignored(shop: Shop, context: RunContext, kind: str) -> None:
    shop.pages["/"] = lambda _: Reply(b'\xef\xbb\xbf{"total": 9.90}', kind=kind)
    expect = {"json": {"$.total": 9.9}}
    result = await run(shop, context, {"get": "/", "expect": expect, "save": {"total": {"json": "$.total"}}})
    assert result.outcome is Outcome.UP


async def test_json_that_is_none_is_json(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("<h1>Maintenance</h1>")
    step = await failing(shop, context, {"get": "/", "expect": {"json": {"$.id": "present"}}})
    assert step.reason is Reason.JSON
    assert "Maintenance" in (step.seen or "")


async def test_a_body_that_is_not_in_the_charset_it_declares_is_body(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply(b"BOOK-1 \xff\xfe")
    step = await failing(shop, context, {"get": "/", "expect": {"body": {"contains": "BOOK-1"}}})
    assert step.reason is Reason.BODY


async def test_a_body_over_two_mebibytes_is_body(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply(b"x" * (2 << 20) + b"x")
    assert (await failing(shop, context, {"get": "/"})).reason is Reason.BODY


async def test_a_check_that_fails_shows_the_values_it_names(shop: Shop, context: RunContext) -> None:
    step = await failing(shop, context, {"check": "{{ a + b == 4 }}"}, vars={"a": 1, "b": 2})
    assert (step.reason, step.expected, step.seen) == (Reason.VALUE, "{{ a + b == 4 }}", "a = 1, b = 2")


async def test_slow_is_degraded_and_slower_is_down(shop: Shop, context: RunContext) -> None:
    async def slow(_: Request) -> Reply:
        await asyncio.sleep(0.05)
        return Reply("ok")

    shop.pages["/"] = slow
    degraded = await run(shop, context, {"get": "/", "expect": {"slower_than": {"degraded": "20ms"}}}, {"get": "/"})
    assert degraded.outcome is Outcome.DEGRADED
    assert [str(step.outcome) for step in degraded.steps] == ["degraded", "up"]
    assert degraded.steps[0].reason is Reason.LATENCY
    down = await failing(shop, context, {"get": "/", "expect": {"slower_than": {"down": "20ms"}}})
    assert (down.reason, down.expected) == (Reason.LATENCY, "at most 20ms")


async def test_a_time_past_its_limit_never_reads_as_the_limit() -> None:
    assert [shown_time(seconds) for seconds in (2.0, 2.0001, 0.0421)] == ["2s", "2s1ms", "43ms"]
