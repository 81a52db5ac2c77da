"""Taking alerts in, beside Debian's Alertmanager: `python -m tests.bench intake`.

Both are real and have one core each for themselves, in turns the same one; the senders have the other. Shopwatch is on
disk (SQLite, synced at each commit) before it answers and decides on incidents meanwhile; Alertmanager keeps alerts in
memory. Sent in batches of 64 over eight connections: alerts that are new, then the same ones with a later end, as
Prometheus does each minute; then all that fire are asked for, with 10,000 of them.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.bench import peer
from tests.bench.intake_load import SERVICES, Sent, batches, fetch, send
from tests.incident import a_daemon

PROGRAM = "prometheus-alertmanager"
ACTIVE = 10_000
ROUNDS = 3
LEAST_NEW, LEAST_REPEATS, MOST_GET = 0.4, 0.7, 1.0  # times Alertmanager's rate, and its time
_QUIET = 0.03  # of a core: below that nobody is at work any more


@dataclass
class Side:
    """One of the two. Rates are alerts a second; `get` is seconds; `slowest` the p99 of a request, of each round."""

    name: str
    process: int
    port: int
    new: list[float] = field(default_factory=list)
    repeats: list[float] = field(default_factory=list)
    get: list[float] = field(default_factory=list)
    slowest: list[float] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # microseconds an alert, deciding on it included

    def take(self, into: list[float], first: int) -> None:
        """Sends ACTIVE alerts, and waits until they are worked through."""
        before = peer.used(self.process)
        sent = self._send(first)
        into.append(ACTIVE / sent.seconds)
        self.slowest.append(sent.p99)
        self.settled.append(self._settle())
        self.cpu.append((peer.used(self.process) - before) / ACTIVE * 1e6)

    def _send(self, first: int) -> Sent:
        return send(self.port, batches(first, ACTIVE, datetime.now(UTC)))

    def _settle(self) -> float:
        """Seconds until it has nothing more to do."""
        began = time.monotonic()
        while True:
            before = peer.used(self.process)
            time.sleep(0.5)
            if (peer.used(self.process) - before) / 0.5 < _QUIET or time.monotonic() - began > 60:
                return time.monotonic() - began - 0.5

    def ask(self) -> None:
        took, body = fetch(self.port)
        count = len(json.loads(body))
        if count != ACTIVE:
            raise RuntimeError(f"{self.name} knows of {count} alerts, and was sent {ACTIVE}")
        self.get.append(took)


def installed() -> bool:
    return shutil.which(PROGRAM) is not None


@contextmanager
def one_core() -> Iterator[None]:
    """What is started meanwhile has one core for itself; everything else has the others, where there are any."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    yield
    os.sched_setaffinity(0, set(cores[:-1]) or set(cores))


@contextmanager
def alertmanager(folder: Path) -> Iterator[Side]:
    folder.mkdir()
    (folder / "alertmanager.yml").write_text(
        json.dumps({"route": {"receiver": "none", "group_by": ["service"]}, "receivers": [{"name": "none"}]})
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [PROGRAM, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data",
               f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]  # fmt: skip
    quiet = subprocess.DEVNULL
    environment = {**os.environ, "GOMAXPROCS": "1"}
    with one_core():
        process = subprocess.Popen(command, stdout=quiet, stderr=quiet, env=environment)
    with process:
        try:
            _answers(port)
            yield Side("Alertmanager", process.pid, port)
        finally:
            process.terminate()


def _answers(port: int) -> None:
    ends = time.monotonic() + 30
    while True:
        try:
            fetch(port)
            return
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)


@contextmanager
def shopwatch(folder: Path) -> Iterator[Side]:
    services = "".join(f"  service-{number}: {{title: Service {number}}}\n" for number in range(SERVICES))
    a_daemon.workspace(folder, f"shop: {{name: Bench}}\nservices:\n{services}")
    with ExitStack() as stack:
        with one_core():
            daemon = stack.enter_context(a_daemon.running(folder, folder.with_name("state")))
        time.sleep(2.0)  # its prober has started by then
        yield Side("Shopwatch", daemon.process.pid, int(daemon.url.rpartition(":")[2]))


def measure(folder: Path) -> tuple[Side, Side]:
    """Ours, and theirs."""
    with shopwatch(folder / "shop") as ours, alertmanager(folder / "alertmanager") as theirs:
        both = (theirs, ours)
        turns: list[Callable[[Side], None]] = [lambda side: side.take(side.new, 0)]
        turns += [lambda side: side.take(side.repeats, 0), Side.ask] * ROUNDS  # each of them changed since the last GET
        turns += [lambda side, first=(turn + 1) * ACTIVE: side.take(side.new, first) for turn in range(ROUNDS - 1)]  # type: ignore[misc]
        for turn in turns:
            for side in both:
                turn(side)
    return ours, theirs


def compare() -> bool:
    """Prints what was measured, and says whether the limits hold."""
    before = os.sched_getaffinity(0)
    try:
        with tempfile.TemporaryDirectory(prefix="shopwatch-intake-") as folder:
            ours, theirs = measure(Path(folder))
    finally:
        os.sched_setaffinity(0, before)
    print(f"Alerts taken in, batches of 64, one core each, median of {ROUNDS} rounds of {ACTIVE}")
    print(f"{'what':<34}{'ours':>9}{'peer':>9}{'ratio':>8}{'limit':>8}  met")
    met = [
        _line("new alerts a second", ours.new, theirs.new, least=LEAST_NEW),
        _line("repeats of known ones a second", ours.repeats, theirs.repeats, least=LEAST_REPEATS),
        _line(f"GET of {ACTIVE} alerts, ms", _ms(ours.get), _ms(theirs.get), most=MOST_GET),
    ]
    for side in (ours, theirs):
        print(f"  {side.name}: p99 of a request {max(side.slowest) * 1000:.0f} ms, "
              f"worked through after {max(side.settled):.1f} s; CPU per alert, in turn "
              f"{' '.join(f'{one:.0f}' for one in side.cpu)} us")  # fmt: skip
    return all(met)


def _line(what: str, ours: list[float], theirs: list[float], least: float = 0.0, most: float = float("inf")) -> bool:
    mine, its = median(ours), median(theirs)
    met = least <= mine / its <= most
    limit = least or most
    print(f"{what:<34}{mine:>9.0f}{its:>9.0f}{mine / its:>8.2f}{limit:>8}  {'yes' if met else 'NO'}", flush=True)
    return met


def _ms(seconds: list[float]) -> list[float]:
    return [one * 1000 for one in seconds]


def main() -> int:
    if not installed():
        print(f"{PROGRAM} is not installed (apt-get install {PROGRAM}): nothing to compare with")
        return 0
    return 0 if compare() else 1


if __name__ == "__main__":
    sys.exit(main())
