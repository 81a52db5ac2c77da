"""What is slow to read is read elsewhere, and gives the same answers; what is too slow ends there."""

import asyncio
import os
import pickle
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from probes.result import Outcome, Result
from probes.running.context import RunContext
from probes.running.reading import wire
from probes.running.runner import run_journey
from tests.probes.shop import Reply, Shop, as_json

LARGE = "<title>Shop</title>" + "<p class=item>A thing to <b>buy</b></p>" * 3000
FORM = LARGE + "<form id=f method=post action=/done><input name=token value=t1><button>Go</button></form>"


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[RunContext]:
    context = RunContext(tmp_path)
    yield context
    await context.aclose()


async def walk(context: RunContext, pages: dict[str, Any], *steps: dict[str, Any], **keys: Any) -> Result:
    async with Shop(pages) as shop:
        return await run_journey(shop.journey(*steps, **keys), context)


@pytest.mark.anyio
async def test_a_large_page_is_judged_saved_from_and_submitted_in_a_reader(context: RunContext) -> None:
    pages = {"/": lambda _: Reply(FORM), "/done": lambda asked: Reply(asked.body)}
    first = {
        "get": "/",
        "expect": {"html": {"title": "Shop", ".item": {"count": {"gt": 2999}}}},
        "save": {"token": {"html": "[name=token]", "attr": "value"}, "no": {"html": "#no", "default": "none"}},
    }
    second = {"submit": "#f", "fields": {"b": "{{ token }}-{{ no }}"}, "expect": {"body": "token=t1&b=t1-none"}}
    result = await walk(context, pages, first, second)
    assert result.outcome is Outcome.UP, result.failed
    assert context.readers.killed == 0
    assert context.readers.used == 2


@pytest.mark.anyio
async def test_what_a_reader_finds_wrong_is_told_as_if_it_had_been_read_here(context: RunContext) -> None:
    step = {"get": "/", "expect": {"html": {"#order": "present"}}}
    result = await walk(context, {"/": lambda _: Reply(LARGE)}, step)
    failed = result.steps[0]
    assert (failed.reason, failed.expected) == ("html", "html #order present")
    assert failed.seen is not None
    assert failed.seen.startswith('nothing in the page titled "Shop": A thing to buy')


@pytest.mark.anyio
async def test_a_small_page_needs_no_reader(context: RunContext) -> None:
    await walk(context, {"/": lambda _: Reply("<p>x</p>")}, {"get": "/", "expect": {"html": {"p": "x"}}})
    assert context.readers.used == 0


@pytest.mark.anyio
async def test_a_large_body_that_nobody_asks_about_needs_no_reader(context: RunContext) -> None:
    result = await walk(context, {"/": lambda _: Reply(LARGE)}, {"get": "/", "expect": {"status": 200}})
    assert (result.outcome, context.readers.used) == (Outcome.UP, 0)


@pytest.mark.anyio
async def test_but_it_is_read_to_show_what_came_with_a_wrong_status(context: RunContext) -> None:
    result = await walk(context, {"/": lambda _: Reply(LARGE, 500)}, {"get": "/"})
    assert (result.steps[0].seen or "").startswith('500 with the page titled "Shop": A thing')


@pytest.mark.anyio
async def test_a_document_that_takes_too_long_ends_as_json_and_the_next_one_is_read(context: RunContext) -> None:
    searches = ["$..*..*"] * 15  # each of them is stopped after a hundred thousand nodes
    step = {"get": "/", "save": {f"v{n}": {"json": path, "default": 0} for n, path in enumerate(searches)}}
    pages = {"/": lambda _: as_json([[[["x" * 20] * 30] * 30] * 30])}
    result = await walk(context, pages, step, timeout="20s")
    failed = result.steps[0]
    assert (failed.outcome, failed.reason, failed.expected) == ("down", "json", "a JSON document of reasonable size")
    assert "too much time or memory" in (failed.seen or "")
    assert context.readers.killed == 1
    step = {"get": "/", "expect": {"json": {"$[0][0][0][0]": "x" * 20}}}
    assert (await walk(context, pages, step)).outcome is Outcome.UP


@pytest.mark.anyio
@pytest.mark.by_the_clock
async def test_who_was_slow_does_not_keep_others_waiting(context: RunContext) -> None:
    readers = context.readers
    readers.note("slow", quick=False)
    readers.note("large", quick=True)
    steps = {"get": "/", "expect": {"html": {".item": {"count": 3000}}}}
    async with readers.line("slow"), Shop({"/": lambda _: Reply(LARGE)}) as shop:
        waiting = asyncio.create_task(run_journey(shop.journey(steps, journey="slow", timeout="2s"), context))
        other = await run_journey(shop.journey(steps, journey="large"), context)
        assert (other.outcome, waiting.done()) == (Outcome.UP, False)
        result = (await waiting).steps[0]
    assert (result.reason, result.expected) == ("prober", "a body that is read in time")


@pytest.mark.anyio
async def test_readers_end_with_the_context(tmp_path: Path) -> None:
    context = RunContext(tmp_path)
    step = {"get": "/", "expect": {"html": {"title": "Shop"}}}
    await walk(context, {"/": lambda _: Reply(LARGE)}, step)
    forker = context.readers.process
    assert forker is not None
    assert forker.poll() is None
    await context.aclose()
    assert forker.poll() is not None


def test_a_reader_that_says_more_than_data_is_not_believed() -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.getpid, ()

    with pytest.raises(wire.NotData):
        wire.load_reply(pickle.dumps((Evil(), 0.0, False)))
