"""A small real HTTP server on loopback whose pages are functions, and journeys against it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from probes.language.journey import Journey


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    body: str | bytes = ""
    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    kind: str = "text/html; charset=utf-8"


Page = Callable[[Request], Reply | Awaitable[Reply | None] | None]


def as_json(data: Any, status: int = 200) -> Reply:
    return Reply(json.dumps(data), status, kind="application/json")


def redirect(to: str, status: int = 302, headers: Sequence[tuple[str, str]] = ()) -> Reply:
    return Reply("", status, [("Location", to), *headers])


@dataclass
class Shop(AbstractAsyncContextManager["Shop"]):
    """`pages`: what answers, by path or by `METHOD path`. `requests` is what came. A page that gives None hangs up."""

    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    url: str = ""
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                page = self.pages.get(f"{request.method} {request.path.partition('?')[0]}")
                page = page or self.pages.get(request.path.partition("?")[0]) or (lambda _: Reply("not here", 404))
                reply = page(request)
                if isinstance(reply, Awaitable):
                    reply = await reply
                if reply is None:
                    return
                writer.write(_bytes(reply, request.method))
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    def journey(self, *steps: Mapping[str, Any], **keys: Any) -> Journey:
        return Journey.model_validate(
            {"journey": "j", "service": "shop", "every": "30s", "timeout": "30s", "base": self.url}
            | {"steps": list(steps)}
            | keys
        )


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return Request(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))


def _bytes(reply: Reply, method: str) -> bytes:
    body = reply.body.encode() if isinstance(reply.body, str) else reply.body
    lines = [f"HTTP/1.1 {reply.status} Whatever", f"Content-Type: {reply.kind}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if method == "HEAD" else body)
