"""Servers that stall, flood, reset and refuse: each ends with its reason, inside the deadline, with memory bounded."""

import asyncio
import contextlib
import os
import resource
import socket
import tracemalloc
from pathlib import Path

import httpx
import pytest

from probes.http import Transport, TransportError
from probes.result import Reason
from tests.probes.http.servers import failure, get, ok, repeating, request_of, reset, saying, serving

pytestmark = [pytest.mark.anyio, pytest.mark.by_the_clock]


async def test_a_server_that_never_answers_times_out_while_processing() -> None:
    async with serving(saying(hold=True)) as port:
        error = await failure(f"http://127.0.0.1:{port}/", within=0.5)
    assert error.reason is Reason.TIMEOUT
    assert error.message.startswith("no answer within 0.")
    assert list(error.phases) == ["resolve", "connect", "processing"]
    assert error.phases["processing"] == pytest.approx(0.5, abs=0.2)


async def test_a_server_that_drips_its_header_times_out() -> None:
    async with serving(saying(b"HTTP/1.1 200 OK\r\nX-Slow: ", *[b"x"] * 1000, pause=0.05)) as port:
        error = await failure(f"http://127.0.0.1:{port}/", within=0.5)
    assert error.reason is Reason.TIMEOUT
    assert error.message.startswith("the header was not complete (")


async def test_a_server_that_drips_its_body_times_out_in_the_transfer() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    async with serving(saying(head, *[b"x"] * 1000, pause=0.05)) as port:
        error = await failure(f"http://127.0.0.1:{port}/", within=0.5)
    assert (error.reason, error.status) == (Reason.TIMEOUT, 200)
    assert error.message.startswith("the body was not complete (")
    assert " of 1000 bytes came) within 0." in error.message
    assert error.phases["transfer"] > 0.1


async def test_a_header_that_stays_open_times_out_and_says_how_much_came() -> None:
    async with serving(saying(b"HTTP/1.1 200 OK\r\n", hold=True)) as port:
        error = await failure(f"http://127.0.0.1:{port}/", within=0.5)
    assert error.reason is Reason.TIMEOUT
    assert error.message.startswith("the header was not complete (17 bytes came) within 0.")


async def test_a_deadline_that_has_passed_sends_nothing() -> None:
    asked = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await request_of(reader))

    async with serving(handler) as port:
        error = await failure(f"http://127.0.0.1:{port}/", within=-1)
    assert (error.reason, asked) == (Reason.TIMEOUT, [])


async def test_a_reset_before_the_answer_is_a_failure_to_connect() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        reset(writer)

    async with serving(handler) as port:
        error = await failure(f"http://127.0.0.1:{port}/")
    assert (error.reason, error.message) == (Reason.CONNECT, "no answer: Connection reset by peer")


async def test_a_reset_in_the_body_is_a_failure_to_connect_with_the_status_known() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello")
        await asyncio.sleep(0.05)
        reset(writer)

    async with serving(handler) as port:
        error = await failure(f"http://127.0.0.1:{port}/")
    assert (error.reason, error.status) == (Reason.CONNECT, 200)
    assert error.message == "the body broke off: Connection reset by peer"


async def test_a_port_where_nobody_listens_is_refused() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        error = await failure(f"http://127.0.0.1:{port}/")
    assert (error.reason, error.message) == (Reason.CONNECT, f"127.0.0.1 port {port}: Connection refused")
    assert list(error.phases) == ["resolve", "connect"]


async def test_a_host_that_does_not_take_connections_times_out_while_connecting() -> None:
    with socket.socket() as full, contextlib.ExitStack() as others:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # the queue is full: the kernel drops what else knocks
            other = others.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        port = full.getsockname()[1]
        error = await failure(f"http://127.0.0.1:{port}/", within=0.3)
    assert error.reason is Reason.TIMEOUT
    assert error.message.startswith(f"127.0.0.1 port {port}: no connection within 0.")
    assert list(error.phases) == ["resolve", "connect"]


@pytest.mark.parametrize("head", [b"", b"Content-Length: 104857600\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_a_hundred_megabytes_end_at_the_bound_with_memory_bounded(head: bytes) -> None:
    piece = b"x" * 65536
    chunk = b"10000\r\n" + piece + b"\r\n" if b"chunked" in head else piece

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        for _ in range(1600):
            writer.write(chunk)
            await writer.drain()

    async with serving(handler) as port:
        tracemalloc.start()
        try:
            error = await failure(f"http://127.0.0.1:{port}/", within=60)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert error.reason is Reason.BODY
    assert "the body is over 2097152 bytes" in error.message
    assert peak < 8 * 1024 * 1024


async def test_the_bound_is_the_callers() -> None:
    async with serving(saying(ok(b"x" * 101))) as port:
        error = await failure(f"http://127.0.0.1:{port}/", Transport(max_body=100))
        assert (error.reason, error.message) == (Reason.BODY, "the body is over 100 bytes: 101 are announced")


async def test_cancelling_closes_the_socket_at_once() -> None:
    gone = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        assert await reader.read() == b""
        gone.set()

    async with serving(handler) as port:
        task = asyncio.create_task(get(f"http://127.0.0.1:{port}/", Transport()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gone.wait(), 60)


async def test_one_target_that_hangs_delays_no_other() -> None:
    async with serving(saying(hold=True)) as dead, serving(repeating(ok(b"fine"))) as well:
        hanging = [asyncio.create_task(failure(f"http://127.0.0.1:{dead}/", within=1)) for _ in range(50)]
        await asyncio.sleep(0)
        started = asyncio.get_running_loop().time()
        assert (await get(f"http://127.0.0.1:{well}/")).content == b"fine"
        assert asyncio.get_running_loop().time() - started < 0.5
        assert {error.reason for error in await asyncio.gather(*hanging)} == {Reason.TIMEOUT}


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://127.0.0.1/%00"])
async def test_what_cannot_be_asked_is_a_mistake_in_the_configuration_or_escaped(url: str) -> None:
    with pytest.raises((TransportError, httpx.UnsupportedProtocol)):
        await get(url, within=0.2)


@pytest.mark.parametrize("header", [{"X-Bad": "a\r\nInjected: 1"}, {"X Bad": "a"}, {"X-Bad": "a\0b"}])
async def test_a_header_that_would_inject_another_is_not_sent(header: dict[str, str]) -> None:
    async with httpx.AsyncClient(transport=Transport()) as client:
        with pytest.raises(TransportError) as caught:
            await client.get("http://127.0.0.1:1/", headers=header)
    assert caught.value.reason is Reason.CONFIG


async def test_nothing_stays_open_after_failures_of_every_kind() -> None:
    answers = [b"", b"junk", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", ok(b"one") + ok(b"two"), ok(b"fine")]
    before = len(list(Path("/proc/self/fd").iterdir()))
    for answer in answers * 3:
        async with serving(saying(answer, hold=True)) as port:
            for path in ("http", "https"):
                with contextlib.suppress(TransportError):
                    await get(f"{path}://localhost:{port}/", within=0.1)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


async def test_a_flood_after_a_failure_is_not_read_any_further() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536

    async with serving(flood) as port, httpx.AsyncClient(transport=Transport()) as client:
        await client.send(client.build_request("GET", f"http://127.0.0.1:{port}/"), stream=True)
        await asyncio.sleep(0.2)
        assert sent < 10_000_000


async def test_running_out_of_file_descriptors_is_our_own_fault() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used_up: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                used_up.append(os.dup(0))
        error = await failure("http://127.0.0.1:1/")
    finally:
        for descriptor in used_up:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (error.reason, error.message) == (
        Reason.PROBER,
        "this machine cannot open a connection: Too many open files",
    )
