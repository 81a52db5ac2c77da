"""The whole web app on a loop in a thread of its own, so that tests that are not async (hypothesis) can call it."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from incident.core.actor import Actor, Kind, Role
from incident.desk import Desk
from incident.settings import Settings
from incident.web.app import create_app
from incident.web.gate import Gate

HOST = "http://127.0.0.1:8470"
SECONDS = 30.0  # that one request may take here, on a busy machine


class InProcess:
    """`tokens`: a secret by the name of a role, and that of a source as `source`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, desk: Desk, app: Gate) -> None:
        self.loop = loop
        self.desk = desk
        self.app = app
        self.tokens = {str(role): desk.lend_token(Actor(f"a-{role}", role)) for role in Role}
        self.tokens["source"] = desk.lend_token(Actor("a-source", Role.VIEWER, Kind.SOURCE))

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(SECONDS)

    def request(self, method: str, url: str, *, client: str = "127.0.0.1", **keys: Any) -> httpx.Response:
        async def sent() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(client, 50000))
            async with httpx.AsyncClient(transport=transport, base_url=HOST) as caller:
                return await caller.request(method, url, **keys)

        found: httpx.Response = self.do(sent())
        return found


@contextmanager
def in_process(folder: Path, settings: Settings, database: str | None = None) -> Iterator[InProcess]:
    """`database`: an SQLAlchemy URL; by default SQLite in `folder`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def nothing() -> None:
        pass

    async def opened() -> InProcess:
        desk = Desk(database or f"sqlite:///{folder / 'shopwatch.db'}", settings)
        await desk.start()
        return InProcess(loop, desk, await create_app(desk, settings, folder, reload=nothing))

    made: InProcess = asyncio.run_coroutine_threadsafe(opened(), loop).result(SECONDS)
    try:
        yield made
    finally:
        made.do(made.desk.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS)
        loop.close()
