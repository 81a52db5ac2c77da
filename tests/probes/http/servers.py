"""Servers that answer in whatever way a test needs, on real sockets."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx

from probes.http import Transport, TransportError, context_for

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(
    handler: Handler, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """The port of a server that runs `handler` for each connection, and closes it afterwards."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            await handler(reader, writer)
        writer.transport.close()

    async with await asyncio.start_server(serve, host, 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)


async def request_of(reader: asyncio.StreamReader) -> bytes:
    """The next request's head."""
    return await reader.readuntil(b"\r\n\r\n")


def saying(*pieces: bytes, pause: float = 0, hold: bool = False) -> Handler:
    """Reads a request and writes the pieces, with a pause before each; then closes, or holds the line."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        for piece in pieces:
            if pause:
                await asyncio.sleep(pause)
            writer.write(piece)
            await writer.drain()
        if hold:
            await reader.read()

    return handler


def reset(writer: asyncio.StreamWriter) -> None:
    """Closes so that the peer sees a reset."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def repeating(answer: bytes) -> Handler:
    """Answers every request on a connection alike."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request_of(reader)
            writer.write(answer)

    return handler


def ok(body: bytes, *lines: bytes) -> bytes:
    head = b"".join(line + b"\r\n" for line in lines)
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


async def get(url: str, transport: Transport | None = None, within: float = 60, method: str = "GET") -> httpx.Response:
    """One request by a client of its own."""
    async with httpx.AsyncClient(transport=transport or Transport(), trust_env=False) as client:
        deadline = asyncio.get_running_loop().time() + within
        return await client.send(client.build_request(method, url, extensions={"deadline": deadline}))


async def failure(
    url: str, transport: Transport | None = None, within: float = 60, method: str = "GET"
) -> TransportError:
    """How the request failed. It must fail, and inside its deadline."""
    context_for()  # the machine's authorities are loaded once, and no test should pay for it
    started = asyncio.get_running_loop().time()
    try:
        response = await get(url, transport, within, method)
    except TransportError as error:
        assert asyncio.get_running_loop().time() - started < max(within, 0) + 0.5
        return error
    raise AssertionError(f"no failure but {response!r}: {response.content[:200]!r}")


async def failure_of(answer: bytes, within: float = 60, method: str = "GET") -> TransportError:
    """How a request fails when this is all that the server says before it closes."""
    async with serving(saying(answer)) as port:
        return await failure(f"http://127.0.0.1:{port}/", within=within, method=method)
