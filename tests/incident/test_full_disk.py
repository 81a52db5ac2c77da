"""A disk that is really full: a small one of memory, mounted for the test. All that we keep is on it in turn."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import structlog

from incident.desk import Desk
from incident.settings import Settings
from incident.store import writer
from incident.web.app import create_app
from probes.prober.spool import Spool
from probes.running.ledger import Entry, Ledger, LedgerUnwritable
from tests.incident.conftest import RESPONDER, START, Clock, firing

pytestmark = pytest.mark.needs("tmpfs")
ROOM = 2 << 20


class Disk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, leave: int = 0) -> None:
        """To the last byte, or so many before."""
        space = os.statvfs(self.folder)
        with self._ballast.open("ab", buffering=0) as file:
            if leave:
                os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - leave)
                return
            for size in (65536, 1):
                while True:
                    try:
                        file.write(b"x" * size)
                    except OSError:
                        break

    def make_room(self) -> None:
        self._ballast.unlink()


@contextmanager
def mounted(folder: Path, room: int = ROOM) -> Iterator[Disk]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", folder], check=True)
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk") as made:
        yield made


def posted(number: int) -> list[dict[str, Any]]:
    """64 alerts, 100 KB."""
    return [
        {
            "labels": {"alertname": "Down", "service": "login", "batch": str(number), "n": str(n)},
            "annotations": {"description": "x" * 1000},
            "startsAt": START.isoformat(),
            "endsAt": (START + timedelta(hours=1)).isoformat(),
        }
        for n in range(64)
    ]


@pytest.mark.anyio
async def test_intake_answers_503_keeps_what_it_has_and_recovers_by_itself(
    disk: Disk, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("incident.store.health._TRY_AGAIN", 0.0)
    desk = Desk(f"sqlite:///{disk.folder / 'shopwatch.db'}", settings, clock)
    await desk.start()
    transport = httpx.ASGITransport(await create_app(desk, settings), client=("127.0.0.1", 50000))
    accepted: set[str] = set()

    async def known() -> set[str]:
        return {alert.labels["batch"] for alert in await desk.alerts() if "batch" in alert.labels}

    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8470") as client:
        await desk.intake([firing("payment")], "prober")
        await desk.cycle(clock())
        assert (await client.get("/-/ready")).status_code == 200
        disk.fill()
        with structlog.testing.capture_logs() as said:
            refused = 0
            for number in range(40):
                answer = await client.post("/api/v2/alerts", json=posted(number))
                refused += answer.status_code == 503
                if answer.status_code == 200:
                    accepted.add(str(number))
            assert refused > 30
            assert "no room" in answer.text
            await desk.cycle(clock())  # changes nothing, and so shows nothing
        assert await known() == accepted
        assert [line["event"] for line in said if line["log_level"] == "error"] == [
            "database refuses: nothing is taken in"
        ]
        ready = await client.get("/-/ready")
        assert (ready.status_code, "no room" in ready.text) == (503, True)
        assert (await client.get("/-/healthy")).status_code == 200
        assert (await desk.incident(1)).service == "payment"

        disk.make_room()
        await desk.cycle(clock())
        with anyio.fail_after(60):  # a write of its own shows that it works again, soon after the cycle's
            while (await client.get("/-/ready")).status_code != 200:
                await anyio.sleep(0.01)
        assert (await client.post("/api/v2/alerts", json=posted(99))).status_code == 200
        assert await known() == accepted | {"99"}
        await desk.perform("ack", 1, RESPONDER)
    await desk.close()
    again = Desk(f"sqlite:///{disk.folder / 'shopwatch.db'}", settings, clock)
    await again.start()
    assert {alert.labels["batch"] for alert in await again.alerts() if "batch" in alert.labels} == accepted | {"99"}
    await again.close()


def test_the_spool_keeps_in_memory_what_the_disk_does_not_take_and_goes_on_there(disk: Disk) -> None:
    said: list[str] = []
    spool = Spool(disk.folder / "spool", lambda text, **more: said.append(text))
    spool.append([b"one"], durable=True)
    disk.fill()
    big = [b"%d " % number + b"x" * 5000 for number in range(5)]
    for record in big:
        spool.append([record], durable=True)
    assert (spool.trouble is not None, len(said)) == (True, 1)
    disk.make_room()
    spool.append([b"last"], durable=True)
    assert (spool.trouble, len(said)) == (None, 2)
    seen: list[bytes] = []
    while (batch := spool.peek(100)).records:
        seen += batch.records
        spool.acknowledge(batch)
    assert sorted(seen) == sorted([b"one", *big, b"last"])
    spool.close()


def test_the_ledger_says_that_it_cannot_write_and_loses_no_line_by_it(disk: Disk) -> None:
    ledger = Ledger(disk.folder / "ledger.jsonl")

    def entry(name: str) -> Entry:
        return Entry(name, "", "run-1", "checkout", "place the order", "intent", value="x" * 5000)

    ledger.record(entry("a"), "intent", START)
    disk.fill()
    with pytest.raises(LedgerUnwritable, match="No space left"):
        ledger.record(entry("b"), "intent", START)
    assert [one.id for one in ledger.entries()] == ["a"]
    disk.make_room()
    ledger.record(entry("c"), "intent", START)
    assert [one.id for one in ledger.entries()] == ["a", "c"]


def test_what_a_full_disk_is_called_is_known(disk: Disk) -> None:
    disk.fill()
    with pytest.raises(OSError, match="No space left") as caught:
        (disk.folder / "more").write_bytes(b"x" * 100_000)
    assert any(sign in str(caught.value).lower() for sign in writer._FULL)
