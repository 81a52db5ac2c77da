"""A thousand connections that are held open, and a thousand requests at once, at a real daemon."""

import asyncio
import json
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from incident.daemon.serving import OWN_FILES
from tests.incident.a_daemon import Daemon, running, workspace

pytestmark = pytest.mark.anyio

MANY = 1000
LOOSELY = 10.0  # seconds for what takes a fifth of one when nothing else runs: other tests run beside
CROWD = "127.0.0.2"  # where those come from who hold connections
HEAD = b"Host: 127.0.0.1\r\nContent-Type: application/json\r\n"
HELD: dict[str, tuple[bytes, bytes]] = {  # how: (said at once, said again and again)
    "that say nothing": (b"", b""),
    "whose heads never end": (b"GET /metrics HTTP/1.1\r\n" + HEAD, b"X: y\r\n"),
    "whose bodies drip": (b"POST /api/v2/alerts HTTP/1.1\r\n" + HEAD + b"Content-Length: 50000\r\n\r\n[", b" "),
    "that asked once": (b"GET /-/healthy HTTP/1.1\r\n" + HEAD + b"\r\n", b""),
    "that do not read": (b"GET /api/openapi.json HTTP/1.1\r\n" + HEAD + b"\r\n", b""),
}
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(autouse=True)
def enough_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def daemon(tmp_path: Path, *prefix: str) -> Iterator[Daemon]:
    with running(workspace(tmp_path / "shop"), tmp_path / "state", prefix=prefix) as started:
        yield started


class Others:
    """Somebody at another address, who has nothing to do with the crowd."""

    def __init__(self, started: Daemon) -> None:
        self.host = urlsplit(started.url).netloc
        state = started.workspace.parent / "state" / "shopwatch"
        token = (state / f"{self.host.replace(':', '_')}.token").read_text(encoding="utf-8").strip()
        self.headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self.slowest: dict[str, float] = {}
        self.wrong: list[str] = []
        self.sent = 0

    async def ask(self, times: int) -> None:
        for _ in range(times):
            await asyncio.to_thread(self._ask_all)

    def _ask_all(self) -> None:
        self.sent += 1
        alert = {"labels": {"alertname": "Other", "n": str(self.sent)}}
        for method, path, body in (
            ("GET", "/-/ready", None), ("GET", "/metrics", None), ("GET", "/", None),
            ("POST", "/api/v2/alerts", json.dumps([alert])),
        ):  # fmt: skip
            began = time.monotonic()
            while (status := self._tried(method, path, body)) != 200 and time.monotonic() - began < LOOSELY:
                time.sleep(0.1)  # turned away at the door, as may happen to anybody in a crowd
            self.slowest[path] = max(self.slowest.get(path, 0.0), time.monotonic() - began)
            if status != 200:
                self.wrong.append(f"{method} {path}: {status}")

    def _tried(self, method: str, path: str, body: str | None) -> int | str:
        try:
            return self._status(method, path, body)
        except (OSError, HTTPException) as error:
            return str(error) or type(error).__name__

    def _status(self, method: str, path: str, body: str | None) -> int | str:
        connection = HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, body, self.headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


async def opened(url: str) -> Connection:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port, local_addr=(CROWD, 0))


@asynccontextmanager
async def held(url: str, many: int) -> AsyncIterator[None]:
    """So many connections, a share of each kind; one that is closed is opened anew, as a stubborn crowd would."""
    kinds = [HELD[name] for name in HELD]
    crowd = [asyncio.create_task(_hold(url, *kinds[n % len(kinds)])) for n in range(many)]
    try:
        await asyncio.sleep(1)
        yield
    finally:
        for one in crowd:
            one.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)


async def _hold(url: str, first: bytes, then: bytes) -> None:
    while True:
        writer = None
        try:
            _, writer = await opened(url)
            writer.write(first)
            while not writer.is_closing():
                await asyncio.sleep(1)
                writer.write(then)
        except OSError:
            await asyncio.sleep(1)
        finally:
            if writer is not None:
                writer.transport.abort()


async def burst(url: str, many: int) -> list[str]:
    """So many POSTs of one alert at the same time; the numbers of those that were answered 200."""

    async def post(number: str) -> str | None:
        body = json.dumps([{"labels": {"alertname": "Burst", "n": number}}]).encode()
        try:
            reader, writer = await opened(url)
        except OSError:
            return None
        try:
            writer.write(b"POST /api/v2/alerts HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s" % (HEAD, len(body), body))
            return number if b" 200 " in await reader.readline() else None
        except OSError:
            return None
        finally:
            writer.transport.abort()

    answers = await asyncio.gather(*(post(str(n)) for n in range(many)))
    return [number for number in answers if number is not None]


async def meanwhile(others: Others, work: Callable[[], Awaitable[Any]]) -> Any:
    asking = asyncio.create_task(others.ask(100))
    await asyncio.sleep(0.05)
    try:
        return await work()
    finally:
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


def known(url: str, name: str) -> set[str]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request("GET", f"/api/v2/alerts?filter=alertname%3D{name}")
        return {item["labels"]["n"] for item in json.loads(connection.getresponse().read())}
    finally:
        connection.close()


def files_of(started: Daemon) -> int:
    return len(list(Path(f"/proc/{started.process.pid}/fd").iterdir()))


@pytest.mark.by_the_clock
async def test_a_thousand_held_connections_and_a_burst_keep_nobody_waiting_and_lose_nothing(tmp_path: Path) -> None:
    with daemon(tmp_path) as started:
        others = Others(started)
        async with held(started.url, MANY):
            await others.ask(5)
            most = files_of(started)
            accepted = await meanwhile(others, lambda: burst(started.url, MANY))
        assert others.wrong == []
        assert max(others.slowest.values()) < LOOSELY, others.slowest
        assert MANY // 2 < most < MANY + OWN_FILES
        assert len(accepted) > MANY // 4
        assert set(accepted) <= known(started.url, "Burst")
        assert len(known(started.url, "Other")) == others.sent
        assert "out of system resource" not in started.log.read_text()


@pytest.mark.by_the_clock
async def test_with_few_files_the_last_ones_are_the_databases(tmp_path: Path) -> None:
    with daemon(tmp_path, "prlimit", "--nofile=256") as started:
        others = Others(started)
        async with held(started.url, 300):
            await others.ask(5)
            accepted = await meanwhile(others, lambda: burst(started.url, 300))
        assert (others.wrong, started.process.poll()) == ([], None)
        assert set(accepted) <= known(started.url, "Burst")
        assert "out of system resource" not in started.log.read_text()
