"""What a run creates in the shop, and undoes: the ledger and `cleanup`."""

import asyncio

import pytest

from probes.result import Outcome, Reason
from probes.running.context import RunContext
from probes.running.leftovers import SETTLING
from probes.running.runner import run_journey
from tests.probes.shop import Reply, Request, Shop, as_json
from tests.probes.walks import failing, run, states

pytestmark = pytest.mark.anyio


async def test_cleanup_runs_in_a_fresh_session_with_the_saved_values(shop: Shop, context: RunContext) -> None:
    shop.pages["POST /orders"] = lambda _: Reply('{"id": 7}', 201, [("Set-Cookie", "sid=abc")], "application/json")
    shop.pages["POST /orders/7/cancel"] = lambda _: Reply("done")
    result = await run(
        shop,
        context,
        {"post": "/orders", "save": {"order": {"json": "$.id"}}, "creates": "{{ order }}"},
        cleanup=[{"post": "/orders/{{ order }}/cancel", "expect": {"status": 200}}],
    )
    assert [str(step.outcome) for step in result.cleanup] == ["up"]
    assert "cookie" not in shop.requests[-1].headers
    assert shop.connections == 2
    assert states(context) == ["intent", "created", "undone"]
    assert context.ledger.leftovers() == []


async def test_cleanup_runs_after_a_failure_with_what_could_be_saved(shop: Shop, context: RunContext) -> None:
    shop.pages["POST /orders"] = lambda _: as_json({"id": 7, "total": 1})
    shop.pages["POST /orders/7/cancel"] = lambda _: Reply("done")
    result = await run(
        shop,
        context,
        {
            "post": "/orders",
            "expect": {"json": {"$.total": 2}},
            "save": {"order": {"json": "$.id"}},
            "creates": "{{ order }}",
        },
        cleanup=[{"post": "/orders/{{ order }}/cancel"}],
    )
    assert result.outcome is Outcome.DOWN
    assert result.steps[0].reason is Reason.JSON
    assert states(context) == ["intent", "created", "undone"]


async def test_cleanup_is_tried_again_and_its_failure_changes_no_outcome(shop: Shop, context: RunContext) -> None:
    shop.pages["POST /orders"] = lambda _: as_json({"id": 7})
    result = await run(
        shop,
        context,
        {"post": "/orders", "save": {"order": {"json": "$.id"}}, "creates": "{{ order }}"},
        cleanup=[{"post": "/orders/{{ order }}/cancel"}, {"get": "/"}],
    )
    assert result.outcome is Outcome.UP
    assert [(str(step.outcome), step.attempts) for step in result.cleanup] == [("down", 3), ("skipped", 1)]
    (left,) = context.ledger.leftovers()
    assert (left.state, left.value, left.saved) == ("failed", "7", {"order": 7})


async def test_cleanup_leaves_out_what_was_never_made(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("<form id=f><input name=a></form>")
    result = await run(
        shop,
        context,
        {"get": "/"},
        {"post": "/orders", "save": {"order": {"json": "$.id"}}},
        cleanup=[{"get": "/"}, {"get": "/orders/{{ order }}"}, {"submit": "#f"}, {"get": "/"}],
    )
    assert [str(step.outcome) for step in result.cleanup] == ["up", "skipped", "skipped", "up"]


async def test_there_is_nothing_to_clean_up_where_nothing_ever_answered(shop: Shop, context: RunContext) -> None:
    result = await run(shop, context, {"get": "/"}, base="http://127.0.0.1:1", cleanup=[{"get": "/"}])
    assert result.cleanup == []


@pytest.mark.by_the_clock
async def test_a_request_whose_answer_never_came_stays_listed_as_unknown(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: asyncio.sleep(60)
    await run(shop, context, {"post": "/", "creates": "{{ run_id }}", "timeout": "500ms"})
    assert states(context) == ["intent", "unknown"]
    (left,) = context.ledger.leftovers()
    assert "no answer within" in (left.detail or "")


async def test_a_request_that_never_left_made_nothing(shop: Shop, context: RunContext) -> None:
    await run(shop, context, {"post": "/", "creates": "{{ run_id }}"}, base="http://127.0.0.1:1")
    assert states(context) == ["intent", "void"]


async def test_a_refused_order_made_nothing_and_a_broken_answer_leaves_it_open(shop: Shop, context: RunContext) -> None:
    shop.pages["/refused"] = lambda _: Reply("no", 422)
    shop.pages["/broken"] = lambda _: Reply("oops", 500)
    for path in ("/refused", "/broken"):
        await run(shop, context, {"post": path, "creates": "{{ run_id }}"})
    assert states(context) == ["intent", "void", "intent", "unknown"]


async def test_nothing_is_sent_where_the_intent_cannot_be_written(shop: Shop, context: RunContext) -> None:
    context.state.mkdir()
    context.ledger.path.mkdir()
    step = await failing(shop, context, {"post": "/", "creates": "{{ run_id }}"})
    assert step.reason is Reason.PROBER
    assert not shop.requests


async def test_a_cancelled_run_gives_its_account_back_and_its_order_stays_known(
    shop: Shop, context: RunContext
) -> None:
    shop.pages["/"] = lambda _: asyncio.sleep(60)
    journey = shop.journey({"post": "/", "creates": "{{ run_id }}"}, accounts=[{"user": "a@x", "password": "secret"}])
    task = asyncio.create_task(run_journey(journey, context))
    while not shop.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    lease = context.accounts.try_lease(["a@x"])
    assert lease is not None
    lease.release()
    (left,) = context.ledger.leftovers()
    assert (left.state, left.detail) == ("unknown", "the run ended before the answer was read")


async def test_a_created_thing_without_a_name_is_unknown(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("ok")
    step = await failing(shop, context, {"post": "/", "creates": "{{ order }}"})
    assert step.reason is Reason.CONFIG
    assert states(context) == ["intent", "unknown"]
    (left,) = context.ledger.leftovers()
    assert "order" in (left.detail or "")  # in words, for whoever has to look for it in the shop


@pytest.mark.by_the_clock
async def test_cleanup_runs_for_what_may_have_been_made_though_nothing_answered(
    shop: Shop, context: RunContext
) -> None:
    shop.pages["POST /"] = lambda _: asyncio.sleep(60)
    shop.pages["DELETE /"] = lambda _: Reply("gone")
    step = {"post": "/", "creates": "{{ run_id }}", "timeout": "500ms"}
    result = await run(shop, context, step, cleanup=[{"delete": "/"}])
    assert [str(step.outcome) for step in result.cleanup] == ["up"]
    assert states(context) == ["intent", "unknown", "unknown"]
    (left,) = context.ledger.leftovers()
    assert left.next_attempt == left.began + SETTLING  # the shop may still be at work on it


@pytest.mark.by_the_clock
async def test_a_cleanup_that_hangs_once_leaves_time_to_be_tried_again(shop: Shop, context: RunContext) -> None:
    asked = 0

    async def cancel(_: Request) -> Reply:
        nonlocal asked
        asked += 1
        if asked == 1:
            await asyncio.sleep(3600)
        return Reply("done")

    shop.pages["POST /orders"] = lambda _: as_json({"id": 7})
    shop.pages["POST /orders/7/cancel"] = cancel
    result = await run(
        shop,
        context,
        {"post": "/orders", "save": {"order": {"json": "$.id"}}, "creates": "{{ order }}"},
        cleanup=[{"post": "/orders/{{ order }}/cancel"}],
        timeout="2s",
    )
    assert [(str(step.outcome), step.attempts) for step in result.cleanup] == [("up", 2)]
    assert states(context) == ["intent", "created", "undone"]


LOOK = {"name": "look", "get": "/orders", "save": {"found": {"json": "$.open", "default": ""}}}
OPEN = {"name": "open", "when": "{{ found }}", "get": "/orders/{{ found }}", "save": {"can": {"json": "$.can"}}}
CANCEL = {"name": "cancel", "when": "{{ can | default('') }}", "post": "/orders/{{ found }}/cancel"}


async def test_a_cleanup_that_looked_and_found_nothing_to_do_is_done(shop: Shop, context: RunContext) -> None:
    shop.pages["POST /orders"] = lambda _: as_json({"id": 7})
    shop.pages["GET /orders"] = lambda _: as_json({})
    step = {"post": "/orders", "save": {"order": {"json": "$.id"}}, "creates": "{{ order }}"}
    result = await run(shop, context, step, cleanup=[LOOK, OPEN, CANCEL])
    assert [str(step.outcome) for step in result.cleanup] == ["up", "skipped", "skipped"]
    assert context.ledger.leftovers() == []


async def test_a_cleanup_that_could_not_look_leaves_what_it_does_not_know(shop: Shop, context: RunContext) -> None:
    shop.pages["POST /orders"] = lambda _: as_json({})
    shop.pages["GET /orders/7"] = lambda _: as_json({})
    step = {"post": "/orders", "save": {"order": {"json": "$.id"}}, "creates": "{{ order }}"}
    by_number = OPEN | {"when": "{{ order is defined }}", "get": "/orders/{{ order }}"}
    await run(shop, context, step, cleanup=[by_number, CANCEL | {"post": "/orders/{{ order }}/cancel"}])
    (left,) = context.ledger.leftovers()
    assert "order" in (left.detail or "")
