"""Hundreds of targets that hang at once, and dozens that are made to be slow to read: nobody else is late."""

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from probes.http.resolve import SystemResolver
from probes.language.journey import Journey
from probes.result import Outcome, Result
from probes.running.context import RunContext
from probes.running.runner import run_journey
from tests.probes.hostile_shop import hostile_shop
from tests.probes.http.servers import serving
from tests.probes.shop import Reply, Shop
from tests.probes.test_hostile import HEAD

pytestmark = [pytest.mark.anyio, pytest.mark.by_the_clock]

LATE = 0.15  # seconds, of the median watched run, on a machine that does other things too
HOSTILE: dict[str, dict[str, Any]] = {
    "/deep": {"html": {"p": "x"}},
    "/deep-under-the-bound": {"html": {"div div": "x"}},
    "/formatting": {"html": {"p": "x"}},
    "/attributes": {"html": {"p": "x"}},
    "/foreign": {"html": {"p": "x"}},
    "/foreign-tables": {"html": {"td": "x"}},
    "/foreign-self-closed": {"html": {"p p p": "x"}},
    "/flat": {"html": {"i:nth-child(2n+1):has(b)": "x"}},
    "/fields": {"html": {"input": "x"}},
    "/arrays": {"json": {"$..*": 1}},
    "/objects": {"json": {"$..*..*": 1}},
    "/nested": {"json": {"$..*..*": 1}},
    "/numbers": {"json": {"$[0]": 7}},
    "/text": {"body": {"matches": "(a{1,500}b)|(x+x+)+y"}},
    "/bomb": {"body": "x"},
    "/members": {"body": "x"},
    "/layers": {"body": "x"},
    "/packed-deep": {"html": {"p": "x"}},
    "/cookies": {"body": "x"},
    "/chunks": {"body": "y"},
}


def journey(url: str, name: str, **step: Any) -> Journey:
    return Journey.model_validate({
        "journey": name, "service": "shop", "every": "30s", "timeout": "3s", "base": url, "steps": [{"get": "/"} | step]
    })  # fmt: skip


@contextmanager
def taking_no_more() -> Iterator[int]:
    """The port of a server whose queue of connections is full: one more is neither taken nor refused."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        yield full.getsockname()[1]


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"Content-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.2)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def watch(good: Journey, context: RunContext, others: Sequence[asyncio.Task[Result]]) -> list[float]:
    """Seconds that each run of a healthy journey took, from when it was due, until the others are done."""
    loop, took = asyncio.get_running_loop(), []
    due = loop.time()
    while not all(task.done() for task in others):
        result = await run_journey(good, context)
        assert result.outcome is Outcome.UP, result.failed
        took.append(loop.time() - due)
        due = max(due + 0.05, loop.time())
        await asyncio.sleep(due - loop.time())
    return sorted(took)


async def test_five_hundred_targets_that_hang_at_once_delay_nobody(tmp_path: Path) -> None:
    with taking_no_more() as full, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        context = RunContext(tmp_path, resolver=SystemResolver([f"127.0.0.1:{deaf.getsockname()[1]}"]))
        async with serving(silent) as mute, serving(drip) as slow, Shop({"/": lambda _: Reply("ok")}) as shop:
            bases = [
                "http://{}.shop.example",
                f"http://127.0.0.1:{full}",
                f"https://127.0.0.1:{mute}",
                f"http://127.0.0.1:{slow}",
            ]
            hung = [journey(base.format(f"n{n}"), f"j{n}") for n in range(125) for base in bases]
            running = [asyncio.create_task(run_journey(one, context)) for one in hung]
            took = await watch(journey(shop.url, "good"), context, running)
            results = [await task for task in running]
        await context.aclose()
    assert len(took) > 20
    assert took[len(took) // 2] < LATE
    assert Counter(str(result.steps[0].reason) for result in results) == {"timeout": 500}
    seen = [result.steps[0].seen or "" for result in results[:4]]
    for words, text in zip(
        ["not resolved", "no connection", "TLS handshake", "body was not complete"], seen, strict=True
    ):
        assert words in text


async def test_dozens_of_pages_made_to_be_slow_delay_nobody(tmp_path: Path) -> None:
    context = RunContext(tmp_path)
    with hostile_shop() as url:
        attacks = [
            journey(url, f"bad{n}{path}", get=path, expect=expect) for n in range(2) for path, expect in HOSTILE.items()
        ]
        running = [asyncio.create_task(run_journey(one, context)) for one in attacks]
        took = await watch(journey(url, "good", get="/ok", expect={"html": {"title": "Shop"}}), context, running)
        results = [await task for task in running]
    await context.aclose()
    assert took[len(took) // 2] < LATE
    assert {result.outcome for result in results} == {Outcome.DOWN}
    assert {str(result.steps[0].reason) for result in results} <= {"html", "json", "body", "timeout", "prober"}


async def test_a_large_page_that_was_quick_before_is_read_beside_those_that_are_slow(tmp_path: Path) -> None:
    context = RunContext(tmp_path)
    with hostile_shop() as url:
        large = journey(url, "large", get="/large", expect={"html": {".item": {"count": {"gt": 9000}}}})
        assert (await run_journey(large, context)).outcome is Outcome.UP
        slow = [journey(url, f"bad{n}", get="/nested", expect=HOSTILE["/nested"]) for n in range(8)]
        running = [asyncio.create_task(run_journey(one, context)) for one in slow]
        took = await watch(large, context, running)
        await asyncio.gather(*running)
    await context.aclose()
    assert took[len(took) // 2] < 1.0
