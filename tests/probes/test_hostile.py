"""Targets that misbehave: each run ends as a result with its reason, in time."""

import asyncio
import gzip
import resource
import socket
import struct
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from probes.result import Outcome, Result
from probes.running.context import RunContext
from probes.running.runner import run_journey
from tests.probes.http.servers import serving
from tests.probes.shop import Reply, Shop

pytestmark = [pytest.mark.anyio, pytest.mark.by_the_clock]

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
BOMB = b"".join(gzip.compress(b"\0" * (8 << 20)) for _ in range(50))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def endless_header(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    while True:
        writer.write(b"X-More: and more\r\n" * 100)
        await writer.drain()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in HEAD + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.002)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def too_short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"Content-Length: 100\r\n\r\nshort")


async def huge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"Content-Length: 104857600\r\n\r\n")
    for _ in range(1600):
        writer.write(b"x" * 65536)
        await writer.drain()


async def bad_gzip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!")


async def gzip_bomb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB)
    await writer.drain()


async def not_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")


async def only_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n")


async def walk(handler: Handler, folder: Path, scheme: str = "http", **keys: Any) -> Result:
    context = RunContext(folder)
    async with serving(handler) as port:
        steps = {"get": "/"} | keys
        journey = Shop(port=port, url=f"{scheme}://127.0.0.1:{port}").journey(steps, timeout="600ms")
        result = await run_journey(journey, context)
    await context.aclose()
    assert result.duration_s < 1.5
    return result


@pytest.mark.parametrize(
    ("handler", "scheme", "reason"),
    [
        (silent, "http", "timeout"),
        (silent, "https", "timeout"),
        (drip, "http", "timeout"),
        (endless_body, "http", "body"),
        (endless_header, "http", "header"),
        (reset, "http", "connect"),
        (too_short, "http", "body"),
        (huge, "http", "body"),
        (bad_gzip, "http", "body"),
        (not_http, "http", "status"),
        (only_tls, "https", "tls"),
    ],
)
async def test_a_bad_target_ends_as_a_result_with_its_reason(
    handler: Handler, scheme: str, reason: str, tmp_path: Path
) -> None:
    result = await walk(handler, tmp_path, scheme)
    step = result.steps[0]
    assert (step.outcome, str(step.reason)) == (Outcome.DOWN, reason)
    assert step.expected
    assert step.seen
    assert step.curl


async def test_a_bomb_is_not_blown_up_in_memory(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = await walk(gzip_bomb, tmp_path)
    assert str(result.steps[0].reason) == "body"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30 << 10  # KiB


async def test_runs_at_once_do_not_wait_for_one_that_hangs(tmp_path: Path) -> None:
    context = RunContext(tmp_path)
    async with serving(silent) as dead, Shop({"/": lambda _: Reply("ok")}) as shop:
        stuck = shop.journey({"get": "/"}, base=f"http://127.0.0.1:{dead}", timeout="800ms")
        good = shop.journey({"get": "/"})
        hanging = [asyncio.create_task(run_journey(stuck, context)) for _ in range(50)]
        result = await run_journey(good, context)
        assert (result.outcome, result.duration_s < 0.6) == (Outcome.UP, True)
        assert {str((await task).outcome) for task in hanging} == {"down"}
    await context.aclose()


@pytest.mark.parametrize(
    "kind", ["text/html; charset=undefined", "text/html; charset=punycode", "text/plain; charset=" + "x" * 9000]
)
async def test_a_hostile_charset_is_no_fault_of_the_prober(kind: str, tmp_path: Path) -> None:
    context = RunContext(tmp_path)
    async with Shop({"/": lambda _: Reply("é" + "-a" * 500_000, kind=kind)}) as shop:
        journey = shop.journey({"get": "/", "expect": {"body": {"contains": "nothing"}}})
        result = await run_journey(journey, context)
    await context.aclose()
    assert (str(result.steps[0].reason), result.duration_s < 20) == ("body", True)
