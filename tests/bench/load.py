"""Thousands of journeys in one prober on one core: how late they start, what that costs, and whether it grows.

A real `shopwatch probe serve` walks one-step journeys against a shop in a process of its own. What it reports says
how late each run started; the system says what it took of the processor and of the memory.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from tests.bench import peer
from tests.bench.bystander import Stood, read

SETTLING = 12.0  # seconds at the start that do not count: every journey runs once within the first ten
_HEAD_END = b"\r\n\r\n"


@dataclass
class Receiver:
    """Takes the place of a daemon: `runs` has the start (Unix time) and the lag (seconds) of each run by journey."""

    runs: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    port: int = 0

    async def __aenter__(self) -> "Receiver":
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.ensure_future(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(_HEAD_END)).decode().lower()
                body = await reader.readexactly(int(head.partition("content-length:")[2].split("\r\n")[0]))
                if head.startswith("post /api/v1/results"):
                    self._take(json.loads(body))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}")
        writer.close()

    def _take(self, results: list[dict[str, object]]) -> None:
        for result in results:
            at = datetime.fromisoformat(str(result["started_at"])).timestamp()
            self.runs.setdefault(str(result["journey"]), []).append((at, float(str(result["lag_s"]))))
            self.outcomes[str(result["outcome"])] += 1


@dataclass
class Load:
    """What was measured: lag in seconds, cpu as a share of one core, memory (resident, all its processes) in MB.

    `stood`: seconds in which this machine did not get the core (`bystander`): the lags are those of the other runs, and
    `raw_p99` that of all.
    """

    lag_p50: float
    lag_p99: float
    lag_max: float
    cpu: float
    memory: list[float]
    runs: int
    skipped: int
    failed: int
    stood: float
    raw_p99: float

    def __str__(self) -> str:
        lag = f"lag p50 {self.lag_p50 * 1000:.1f} p99 {self.lag_p99 * 1000:.1f} max {self.lag_max * 1000:.0f} ms"
        if self.stood:
            lag += f" (the machine stood for {self.stood:.1f} s; with them p99 {self.raw_p99 * 1000:.1f} ms)"
        memory = f"memory {self.memory[0]:.0f} -> {self.memory[-1]:.0f} MB (most {max(self.memory):.0f})"
        return f"{self.runs} runs, {self.skipped} skipped, {self.failed} failed; {lag}; CPU {self.cpu:.1%}; {memory}"


def write_workspace(folder: Path, shop: str, journeys: int, every: str) -> None:
    (folder / "probes").mkdir(parents=True)
    (folder / "shopwatch.yaml").write_text("shop: {name: Load}\nservices:\n  shop: {title: Shop}\n")
    for part in range(0, journeys, 100):
        documents = [
            f"journey: load-{number}\nservice: shop\nevery: {every}\ntimeout: 5s\nbase: {shop}\n"
            "steps:\n  - get: /\n    expect: {status: 200}\n"
            for number in range(part, min(part + 100, journeys))
        ]
        (folder / "probes" / f"load-{part:05d}.yaml").write_text("---\n".join(documents))


async def measure(folder: Path, shop: str, *, journeys: int, every: float, seconds: float) -> Load:
    write_workspace(folder, shop, journeys, f"{every:g}s")
    beside = [sys.executable, "-m", "tests.bench.bystander", str(_core())]
    async with Receiver() as receiver:
        command = [
            sys.executable,
            "-m",
            "probes",
            "-w",
            str(folder),
            "--report-to",
            f"http://127.0.0.1:{receiver.port}",
        ]
        with (folder / "prober.log").open("wb") as output, (folder / "stood").open("wb") as spans:
            prober = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.DEVNULL, stderr=output, preexec_fn=_one_core
            )
            bystander = await asyncio.create_subprocess_exec(*beside, stdin=subprocess.DEVNULL, stdout=spans)
        try:
            while not receiver.runs and prober.returncode is None:
                await asyncio.sleep(0.1)
            if prober.returncode is not None:
                raise RuntimeError(f"the prober ended: {(folder / 'prober.log').read_text()}")
            await asyncio.sleep(SETTLING)
            start, cpu = time.time(), peer.used(prober.pid)
            memory = [_memory(prober.pid)]
            while time.time() < start + seconds and prober.returncode is None:
                await asyncio.sleep(min(10.0, max(0.0, start + seconds - time.time())))
                memory.append(_memory(prober.pid))
            end = time.time()
            cpu = (peer.used(prober.pid) - cpu) / (end - start)
            await asyncio.sleep(2.0)  # what is still under way
        finally:
            for process in (prober, bystander):
                with suppress(ProcessLookupError):
                    process.terminate()
                await process.wait()
    stood = Stood(read((folder / "stood").read_text()), start, end)
    load = _summary(receiver, start, end, every, cpu, memory, stood)
    load.skipped += journeys - len(receiver.runs)  # each of those has not run at all
    return load


def _summary(
    receiver: Receiver, start: float, end: float, every: float, cpu: float, memory: list[float], stood: Stood
) -> Load:
    runs_then = [(at, lag) for runs in receiver.runs.values() for at, lag in runs if start <= at < end]
    every_lag = sorted(lag for _, lag in runs_then)
    lags = sorted(lag for at, lag in runs_then if not stood.at(at - lag)) or every_lag
    skipped = sum(_skipped([at for at, _ in runs], start, end, every) for runs in receiver.runs.values())
    failed = sum(receiver.outcomes.values()) - receiver.outcomes["up"]
    p50, p99, raw_p99 = lags[len(lags) // 2], _p99(lags), _p99(every_lag)
    return Load(p50, p99, lags[-1], cpu, memory, len(every_lag), skipped, failed, stood.seconds, raw_p99)


def _p99(ordered: list[float]) -> float:
    return ordered[len(ordered) * 99 // 100]


def _skipped(starts: list[float], start: float, end: float, every: float) -> int:
    """Runs that are missing between those that there were; one that was late at an edge of the time is not."""
    inside = [start, *(at for at in sorted(starts) if start <= at < end), end]
    return sum(max(0, round((later - at) / every - 1)) for at, later in pairwise(inside))


def _one_core() -> None:
    os.sched_setaffinity(0, {_core()})


def _core() -> int:
    return min(os.sched_getaffinity(0))


def _memory(process: int) -> float:
    """Resident, MB, with its children."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    pages = sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in (process, *children))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


LIMITS = {"lag p99, ms": 50.0, "memory, MB": 250.0, "skipped runs": 0.0}
JOURNEYS, EVERY = 2000, 10.0


def compare(folder: Path, shop: str, other: peer.Peer | None, seconds: float) -> bool:
    """Prints what 2,000 journeys every ten seconds take, and as many probes of the peer; whether the limits hold."""
    load = asyncio.run(measure(folder, shop, journeys=JOURNEYS, every=EVERY, seconds=seconds))
    print(f"{JOURNEYS} one-step journeys every {EVERY:g} s on one core, for {seconds:g} s: {load}")
    if other is not None:
        cpu, memory = other.paced("plain", shop, JOURNEYS / EVERY, seconds)
        print(f"{peer.PROGRAM}, as many probes: CPU {cpu:.1%}; memory {memory:.0f} MB")
    seen = {"lag p99, ms": load.lag_p99 * 1000, "memory, MB": max(load.memory), "skipped runs": load.skipped}
    met = True
    for what, limit in LIMITS.items():
        met = met and seen[what] <= limit
        verdict = "yes" if seen[what] <= limit else "NO"
        print(f"{what:<26}{seen[what]:>9.1f}{'-':>9}{'-':>8}{limit:>8g}  {verdict}", flush=True)
    return met and load.failed == 0
