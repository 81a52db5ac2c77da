"""The prober as a real process, with the real runner and transport, against a small shop on a real socket."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.probes.receiver import Receiver

pytestmark = pytest.mark.anyio


class Shop:
    """`/` is 200 while `well`; `/hang` never answers, `/drip` a byte at a time, `/flood` for ever, `/reset` cuts."""

    def __init__(self) -> None:
        self.well = True
        self.requests: list[str] = []
        self.port = 9  # nobody listens there; `open` finds a real one
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Shop"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
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
            path = (await reader.readuntil(b"\r\n\r\n")).decode().split()[1]
            self.requests.append(path)
            await self._answer(path, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        status = b"200 OK" if self.well or path != "/" else b"500 Broken"
        if path == "/hang":
            await asyncio.sleep(3600)
        if path == "/reset":
            return
        if path in ("/drip", "/flood"):
            writer.write(b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 1000\r\n\r\n" if path == "/drip" else b"\r\n"))
            while True:
                writer.write(b"x" * (1 if path == "/drip" else 1 << 16))
                await writer.drain()
                await asyncio.sleep(0.2 if path == "/drip" else 0.001)
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok" % status)
        await writer.drain()


class Process:
    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, within: float) -> int:
        async with asyncio.timeout(within):
            return await self.process.wait()

    async def started(self) -> None:
        async with asyncio.timeout(60):
            while not any(entry["event"] == "prober started" for entry in self.log()):
                assert self.process.returncode is None, self._log.read_text()
                await asyncio.sleep(0.02)


@asynccontextmanager
async def prober(folder: Path, url: str, *arguments: str) -> AsyncIterator[Process]:
    env = {**os.environ, "SHOPWATCH_TOKEN": "source-token-of-the-prober"}
    command = [sys.executable, "-P", "-m", "probes", "-w", str(folder), "--report-to", url, *arguments]
    log = folder / "stderr.log"
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(*command, env=env, stdin=asyncio.subprocess.PIPE, stderr=stderr)
    try:
        yield Process(process, log)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def workspace(folder: Path, shop: Shop, *paths: str, every: str = "200ms", timeout: str = "30s") -> None:
    (folder / "probes").mkdir()
    (folder / "shopwatch.yaml").write_text(
        "shop: {name: Test, url: http://127.0.0.1}\nservices:\n  checkout: {title: Checkout}\n"
    )
    for number, path in enumerate(paths):
        (folder / "probes" / f"{number}.yaml").write_text(
            f"journey: j{number}\nservice: checkout\nevery: {every}\ntimeout: {timeout}\n"
            f"base: http://127.0.0.1:{shop.port}\nalert: {{confirm: 50ms}}\nsteps:\n  - get: {path}\n"
        )


LOGGING = """
import logging
from probes.files.masking import Masker
from probes.prober.process import configure_log, log

configure_log(Masker({"BUYER_PASSWORD": 'p"w <s3cret>'}))
try:
    raise ValueError('a library quotes p"w <s3cret>')
except ValueError as error:
    log.error("ours", exc_info=error)
    logging.getLogger("library").error("theirs: %s", error, exc_info=error)
"""


async def test_secrets_stay_out_of_the_log_and_its_tracebacks() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-P", "-c", LOGGING, stderr=asyncio.subprocess.PIPE)
    _, log = await process.communicate()
    entries = [json.loads(line) for line in log.decode().splitlines()]
    assert [entry["level"] for entry in entries] == ["error", "error"]
    assert all("a library quotes ${BUYER_PASSWORD}" in entry["exception"] for entry in entries)
    assert "s3cret" not in log.decode()


async def test_a_shop_that_breaks_and_heals_is_an_alert_that_fires_and_ends(tmp_path: Path) -> None:
    async with Shop().open() as shop, Receiver().listening() as receiver:
        workspace(tmp_path, shop, "/")
        async with prober(tmp_path, receiver.url, "--location", "madrid") as process:
            await receiver.wait_for(lambda: bool(receiver.results()))
            assert receiver.results()[0]["outcome"] == "up"
            shop.well = False
            await receiver.wait_for(lambda: len(receiver.alerts()) == 1)
            shop.well = True
            await receiver.wait_for(lambda: len(receiver.alerts()) == 2)
            process.send(signal.SIGTERM)
            assert await process.ended(within=60) == 0
        entries = process.log()
    fires, ends = receiver.alerts()
    assert fires["labels"] == ends["labels"]
    assert fires["labels"]["location"] == "madrid"
    assert fires["annotations"]["reason"] == "status"
    assert datetime.fromisoformat(ends["endsAt"]) <= datetime.now(UTC)
    assert all("authorization: bearer source-token" in head.lower() for head in receiver.headers)
    assert {"event", "level", "timestamp"} <= set.intersection(*(set(entry) for entry in entries))
    assert "source-token" not in (tmp_path / "stderr.log").read_text()
    assert all(b"source-token" not in p.read_bytes() for p in (tmp_path / ".shopwatch").rglob("*") if p.is_file())


@pytest.mark.by_the_clock
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, "parent gone"])
async def test_it_ends_within_a_second_although_a_target_hangs(tmp_path: Path, how: signal.Signals | str) -> None:
    async with Shop().open() as shop, Receiver().listening() as receiver:
        receiver.behave = lambda path, records: "hang"  # and the daemon too
        workspace(tmp_path, shop, "/hang", "/", timeout="30s")
        async with prober(tmp_path, receiver.url, "--supervised") as process:
            await receiver.wait_for(lambda: "/hang" in shop.requests and bool(receiver.asked))
            if isinstance(how, signal.Signals):
                process.send(how)
            else:
                assert process.process.stdin is not None
                process.process.stdin.close()
            assert await process.ended(within=2.5) == 0


@pytest.mark.by_the_clock
async def test_hostile_targets_make_no_other_journey_late(tmp_path: Path) -> None:
    async with Shop().open() as shop, Receiver().listening() as receiver:
        hostile = ["/hang", "/drip", "/reset", "/hang", "/drip", "/flood"]
        workspace(tmp_path, shop, *hostile, "/", timeout="1s")
        async with prober(tmp_path, receiver.url):
            await receiver.wait_for(lambda: len({r["journey"] for r in receiver.results()}) == 7)
            before = len([r for r in receiver.results() if r["journey"] == "j6"])
            await asyncio.sleep(3.0)
    reasons = {result["journey"]: result["steps"][0]["reason"] for result in receiver.results()}
    assert reasons == {"j0": "timeout", "j1": "timeout", "j2": "connect", "j3": "timeout", "j4": "timeout",
                       "j5": "body", "j6": None}  # fmt: skip
    good = [result for result in receiver.results() if result["journey"] == "j6"]
    assert len(good) - before >= 5  # of 15, on a machine that has other things to do
    assert all(result["outcome"] == "up" for result in good)
    assert sorted(result["lag_s"] for result in good)[len(good) // 2] < 0.1


async def test_killed_and_without_a_daemon_it_loses_neither_the_alert_nor_its_end(tmp_path: Path) -> None:
    receiver = Receiver()
    async with receiver.listening():
        port = receiver.port
    async with Shop().open() as shop:
        workspace(tmp_path, shop, "/")
        shop.well = False
        async with prober(tmp_path, receiver.url) as process:
            async with asyncio.timeout(60):
                while "JourneyDown" not in spooled(tmp_path, "alerts") or spooled(tmp_path, "results").count("\n") < 2:
                    await asyncio.sleep(0.02)
            process.send(signal.SIGKILL)
            await process.ended(within=60)
        shop.well = True
        async with receiver.listening(port), prober(tmp_path, receiver.url):
            await receiver.wait_for(lambda: bool(over(receiver)) and len(receiver.results()) >= 2)
    assert datetime.fromisoformat(receiver.alerts()[0]["endsAt"]) > datetime.fromisoformat(over(receiver)[0]["endsAt"])
    assert len({alert["startsAt"] for alert in receiver.alerts()}) == 1
    assert [r["outcome"] for r in receiver.results()][:2] == ["down", "down"]  # from the first life


def spooled(folder: Path, queue: str) -> str:
    return "".join(path.read_text() for path in (folder / ".shopwatch" / "spool" / "local" / queue).glob("0*"))


def over(receiver: Receiver) -> list[Any]:
    return [a for a in receiver.alerts() if datetime.fromisoformat(a["endsAt"]) <= datetime.now(UTC)]


async def test_a_second_prober_of_the_same_location_is_refused(tmp_path: Path) -> None:
    async with Shop().open() as shop, Receiver().listening() as receiver:
        workspace(tmp_path, shop, "/")
        async with prober(tmp_path, receiver.url) as first:
            await first.started()
            async with prober(tmp_path, receiver.url) as second:
                assert await second.ended(within=60) == 2
                assert "another prober runs here" in second.log()[-1]["problem"]
            async with prober(tmp_path, receiver.url, "--location", "elsewhere") as third:
                await third.started()


@pytest.mark.parametrize(
    ("yaml", "arguments", "problem"),
    [
        ("service: nowhere", (), "probes/0.yaml:"),
        ("service: checkout", ("--location", "../up"), "--location '../up'"),
        ("service: checkout", ("--report-to", "shop.example"), "--report-to 'shop.example'"),
    ],
)
async def test_what_keeps_it_from_starting_is_said_in_the_log(
    tmp_path: Path, yaml: str, arguments: tuple[str, ...], problem: str
) -> None:
    workspace(tmp_path, Shop(), "/")
    journey = tmp_path / "probes" / "0.yaml"
    journey.write_text(journey.read_text().replace("service: checkout", yaml))
    async with prober(tmp_path, "http://127.0.0.1:9", *arguments) as process:
        assert await process.ended(within=60) == 2
        assert any(problem in entry.get("problem", "") for entry in process.log())


@pytest.mark.by_the_clock
async def test_it_starts_fast(tmp_path: Path) -> None:
    workspace(tmp_path, Shop(), "/")
    async with prober(tmp_path, "http://127.0.0.1:9") as process:
        await process.started()
        spent = Path(f"/proc/{process.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    assert sum(map(int, spent)) / os.sysconf("SC_CLK_TCK") < 4  # seconds of a core, however many others want it
