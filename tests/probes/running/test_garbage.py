"""What a run leaves in memory: nothing that only the collector could free, so that no page outlives its run."""

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import trustme

from probes.language.journey import Journey
from probes.result import Outcome, Reason
from probes.running import cleaning
from probes.running.context import RunContext
from probes.running.runner import run_journey
from probes.running.session import Hop
from tests.probes.http.servers import serving
from tests.probes.shop import Reply, Request, Shop, as_json, redirect

pytestmark = pytest.mark.anyio

FORM = '<form id="add" action="/added" method="post"><input name="count" value="1"></form>'
PAGE = f'<title>Tea</title><h1>Green tea</h1><p class="price">4.50</p>{FORM}' + "<p>x</p>" * 3000
OURS = ("probes.", "httptools", "selectolax", "httpx", "jinja2")


@contextmanager
def kept() -> Iterator[list[str]]:
    """What the collector alone can free of what the block left, by type, as far as it is the prober's."""
    found: list[str] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found += sorted({name for one in gc.garbage if (name := _ours(one))})
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def _ours(one: object) -> str | None:
    if isinstance(one, FrameType):
        name = one.f_code.co_filename
        return f"a frame of {name}" if "/probes/" in name and "/tests/" not in name else None
    kind = type(one)
    if isinstance(one, BaseException):
        return kind.__name__
    return f"{kind.__module__}.{kind.__name__}" if kind.__module__.startswith(OURS) else None


async def left_by(journey: Journey, context: RunContext, reason: Reason | None) -> list[str]:
    """The second run: the first fills caches."""
    await run_journey(journey, context)
    with kept() as found:
        result = await run_journey(journey, context)
        assert result.outcome is (Outcome.UP if reason is None else Outcome.DOWN), result.failed
        assert (result.failed.reason if result.failed else None) is reason
        await asyncio.sleep(0)
    return found


async def _endless(_: Request) -> Reply:
    await asyncio.sleep(30)
    return Reply()


@pytest.fixture
def tea(shop: Shop) -> Shop:
    shop.pages["/"] = lambda _: Reply(PAGE, headers=[("Set-Cookie", "a=1")])
    shop.pages["/added"] = lambda _: Reply(PAGE)
    shop.pages["/large"] = lambda _: Reply("x" * 900_000, kind="text/plain")
    shop.pages["/json"] = lambda _: as_json({"price": 4.5, "lines": [{"sku": "T-1"}] * 100})
    shop.pages["/away"] = lambda _: redirect("/")
    shop.pages["/short"] = lambda _: Reply("x", headers=[("Content-Length", "5")])
    shop.pages["/never"] = _endless
    shop.pages["/round"] = lambda _: redirect("/round")
    shop.pages["/broken"] = lambda _: Reply(b"\x1f\x8b" + b"x" * 100_000, headers=[("Content-Encoding", "gzip")])
    shop.pages["/heavy"] = lambda _: Reply(PAGE * 3)
    shop.pages["/gone"] = lambda _: None
    return shop


GOOD: list[dict[str, Any]] = [
    {"get": "/", "expect": {"html": {"h1": "Green tea"}}, "save": {"price": {"html": ".price"}}},
    {"submit": "#add", "fields": {"count": 2}, "expect": {"html": {"h1": "Green tea"}}},
    {"post": "/json", "json": {"sku": "T-1"}, "expect": {"json": {"$.price": "{{ price | number }}"}}},
    {"get": "/away", "follow": True},
    {"get": "/large", "expect": {"body": {"matches": "xx"}}},
    {"head": "/"},
    {"get": "/heavy"},
    {"submit": "#add", "expect": {"status": 200}},
    {"check": "{{ price | number > 4 }}"},
]
CASES = [
    pytest.param(GOOD, None, id="all goes well"),
    pytest.param([{"get": "/", "expect": {"html": {"h1": "Black tea"}}}], Reason.HTML, id="other text on a page"),
    pytest.param([{"get": "/", "expect": {"html": {"#none": "present"}}}], Reason.HTML, id="nothing on a page"),
    pytest.param([{"get": "/", "save": {"a": {"html": "#a"}, "b": {"html": "#b"}}}], Reason.HTML, id="nothing to save"),
    pytest.param([{"get": "/"}, {"submit": "#none"}], Reason.HTML, id="no such form"),
    pytest.param([{"get": "/large", "expect": {"body": {"matches": "y"}}}], Reason.BODY, id="a large body"),
    pytest.param([{"get": "/json", "expect": {"json": {"$.price": 5}}}], Reason.JSON, id="other JSON"),
    pytest.param([{"get": "/", "save": {"a": {"json": "$.a"}}}], Reason.JSON, id="no JSON"),
    pytest.param([{"get": "/heavy"}, {"submit": "#none"}], Reason.HTML, id="no such form on a large page"),
    pytest.param([{"get": "/round", "follow": True}], Reason.HEADER, id="redirects without end"),
    pytest.param([{"get": "/broken"}], Reason.BODY, id="a body that cannot be unpacked"),
    pytest.param([{"get": "http://localhost:1/"}], Reason.CONNECT, id="nobody there"),
    pytest.param([{"get": "http://shop.invalid/"}], Reason.DNS, id="no such name"),
    pytest.param([{"get": "/nothing"}], Reason.STATUS, id="status"),
    pytest.param([{"get": "/", "expect": {"header": {"X": "1"}}}], Reason.HEADER, id="header"),
    pytest.param([{"get": "/", "expect": {"cookie": {"b": "present"}}}], Reason.COOKIE, id="cookie"),
    pytest.param([{"get": "/"}, {"check": "{{ 1 > 2 }}"}], Reason.VALUE, id="a check"),
    pytest.param([{"get": "/"}, {"get": "/{{ 1 / 0 }}"}], Reason.CONFIG, id="a template"),
    pytest.param([{"get": "/short"}], Reason.BODY, id="a lie about the body's length"),
    pytest.param([{"get": "/"}, {"get": "/gone"}], Reason.CONNECT, id="a connection that breaks"),
    pytest.param([{"get": "/"}, {"get": "/never", "timeout": "50ms"}], Reason.TIMEOUT, id="no answer in time"),
    pytest.param([{"get": "http://127.0.0.1:1/"}], Reason.CONFIG, id="out of reach"),
    pytest.param(
        [{"get": "/", "until": {"html": {"h1": "Black tea"}}, "within": "30ms", "poll": "10ms"}],
        Reason.FRESHNESS,
        id="until",
    ),
]


@pytest.mark.parametrize(("steps", "reason"), CASES)
async def test_a_run_leaves_nothing_to_the_collector(
    tea: Shop, context: RunContext, steps: list[dict[str, Any]], reason: Reason | None
) -> None:
    assert await left_by(tea.journey(*steps, hosts=["localhost", "shop.invalid"]), context, reason) == []


async def test_polling_that_succeeds_leaves_nothing_either(tea: Shop, context: RunContext) -> None:
    answers = iter([Reply("wait", 503), Reply(PAGE)] * 2)
    tea.pages["/later"] = lambda _: next(answers)
    step = {"get": "/later", "until": {"html": {"h1": "Green tea"}}, "within": "1s", "poll": "10ms"}
    assert await left_by(tea.journey(step), context, None) == []


async def test_a_run_that_is_traced_leaves_nothing_either(tea: Shop, context: RunContext) -> None:
    journey, hops = tea.journey(*GOOD, {"get": "/", "expect": {"html": {"h1": "Black tea"}}}), list[Hop]()
    await run_journey(journey, context, trace=hops.append)
    with kept() as found:
        await run_journey(journey, context, trace=hops.append)
    assert found == []


async def test_what_makes_something_and_a_cleanup_that_fails_leave_nothing_either(
    tea: Shop, context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "BACK_OFF_S", (0.01,))
    make = {"post": "/json", "creates": "order {{ price }}", "save": {"price": {"json": "$.none"}}}
    cleanup = [{"get": "/", "expect": {"html": {"h1": "Black tea"}}}]
    assert await left_by(tea.journey(make, cleanup=cleanup, mutates="order"), context, Reason.JSON) == []


@asynccontextmanager
async def _slow_body(tls: bool, folder: Path) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """A server whose answers to /slow end in the middle of the body, and what a journey needs to trust it."""
    context, keys = None, {}
    if tls:
        authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        keys = {"tls": {"ca": str(folder / "ca.pem")}}
    body = b"x" * 400_000

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = len(body) + 10 * head.startswith(b"GET /slow")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (length, body))

    async with serving(answer, context) as port:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}", keys


@pytest.mark.parametrize("path", ["/", "/slow"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
async def test_a_large_body_that_comes_or_does_not_end_leaves_nothing(
    shop: Shop, context: RunContext, tmp_path: Path, *, tls: bool, path: str
) -> None:
    async with _slow_body(tls, tmp_path) as (url, keys):
        journey = shop.journey({"get": "/"}, {"get": path, "timeout": "300ms"}, base=url, **keys)
        assert await left_by(journey, context, Reason.TIMEOUT if path == "/slow" else None) == []
