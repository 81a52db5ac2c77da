"""A receiver of reports on a real socket, which misbehaves on request."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any


async def settle(naps: int = 20) -> None:
    """Until what is under way is done: many short naps, of which a machine that stands still lengthens only one."""
    for _ in range(naps):
        await asyncio.sleep(0.005)


class Receiver:
    """Answers each POST as `behave(path, records)` says: a status, (status, extra head lines), or one of
    `hang` (never answers), `die` (closes in the middle of the answer), `flood` (an answer without end)."""

    def __init__(self) -> None:
        self.behave: Callable[[str, list[Any]], Any] = lambda path, records: 200
        self.taken: list[tuple[str, list[Any]]] = []  # answered 2xx
        self.asked: list[tuple[str, list[Any]]] = []
        self.headers: list[str] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def results(self) -> list[Any]:
        return [record for path, records in self.taken if path == "/api/v1/results" for record in records]

    def alerts(self) -> list[Any]:
        return [record for path, records in self.taken if path == "/api/v2/alerts" for record in records]

    async def wait_for(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator["Receiver"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # the other side is gone, or the test is over
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line[15:]) for line in head.lower().splitlines() if line.startswith("content-length:"))
        records = json.loads(await reader.readexactly(length))
        path = head.split()[1]
        self.headers.append(head)
        self.asked.append((path, records))
        how = self.behave(path, records)
        if how == "hang":
            await asyncio.sleep(3600)
        if how == "die":
            writer.write(b"HTTP/1.1 20")
            return False
        if how == "flood":
            writer.write(b"HTTP/1.1 503 No\r\nContent-Length: 99999999999\r\n\r\n")
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        status, more = how if isinstance(how, tuple) else (how, "")
        if status < 300:
            self.taken.append((path, records))
        writer.write(f"HTTP/1.1 {status} Word\r\n{more}Content-Length: 2\r\n\r\n{{}}".encode())
        await writer.drain()
        return True
