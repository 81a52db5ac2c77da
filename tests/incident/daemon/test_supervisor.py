import asyncio
import sys
import time
from pathlib import Path

import pytest

from incident.daemon.supervisor import Patience, Supervisor

pytestmark = pytest.mark.anyio
QUICK = Patience(first=0.01, longest=0.04, well=60, ending=0.2)


def child(code: str) -> list[str]:
    return [sys.executable, "-c", code]


async def until(supervisor: Supervisor, starts: int) -> None:
    while supervisor.starts < starts:
        await asyncio.sleep(0.005)


async def test_a_child_that_ends_is_started_again() -> None:
    supervisor = Supervisor("child", child("raise SystemExit(3)"), {}, QUICK)
    task = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(60):
        await until(supervisor, 3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_pause_grows_and_has_an_end() -> None:
    pauses: list[float] = []
    supervisor = Supervisor("child", ["/no/such/program"], {}, QUICK)

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 5:
            raise asyncio.CancelledError

    supervisor.sleep = note
    with pytest.raises(asyncio.CancelledError):
        await supervisor.run()
    assert pauses == [0.01, 0.02, 0.04, 0.04, 0.04]


@pytest.mark.by_the_clock
async def test_a_child_that_does_not_end_when_told_is_killed() -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    supervisor = Supervisor("child", child(stubborn), {}, QUICK)
    task = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(60):
        await until(supervisor, 1)
    await asyncio.sleep(0.3)  # until it ignores the signal
    pid, began = supervisor.pid, time.monotonic()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert time.monotonic() - began < 5
    assert not Path(f"/proc/{pid}").exists()
