"""kill -9 at random moments: what was answered for is there, and at most the delivery in flight is repeated."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from incident.channels import build_channels, close_channels
from incident.desk import Desk
from incident.model import Incident, fold
from incident.outbox import Outbox
from tests.incident.crash_harness import SERVICES, settings
from tests.incident.receiver import Receiver, receiving

ROOT = Path(__file__).parents[2]


class Victims:
    """Processes of the harness, one after the other, each fed with commands until it is killed."""

    def __init__(self, database: str, webhook: str) -> None:
        command = [sys.executable, "-m", "tests.incident.crash_harness", database, webhook]
        self._parent = subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def ask(self, line: str) -> str:
        assert self._parent.stdin and self._parent.stdout
        self._parent.stdin.write(line + "\n")
        self._parent.stdin.flush()
        return self._parent.stdout.readline().strip()

    def one_works_until_killed(self, lives: float, chance: random.Random, answered: "Answered") -> None:
        word, process = self.ask("start").split()
        assert word == "ready"
        timer = threading.Timer(lives, os.kill, (int(process), signal.SIGKILL))
        timer.start()
        while answered.ask(self.ask, chance):
            continue
        timer.join()

    def close(self) -> None:
        assert self._parent.stdin and self._parent.stdout
        self._parent.stdin.close()
        self._parent.wait()
        self._parent.stdout.close()


class Answered:
    """What the process said it had taken."""

    def __init__(self) -> None:
        self.alerts: list[str] = []
        self.notes: list[tuple[int, str]] = []
        self.asked = 0

    def ask(self, ask: Callable[[str], str], chance: random.Random) -> bool:
        """Returns whether there was an answer."""
        self.asked += 1
        name = f"n{self.asked}"
        number = chance.randint(1, len(SERVICES))
        alert = chance.random() < 0.5
        answer = ask(f"alert {chance.choice(SERVICES)} {name}" if alert else f"note {number} {name}")
        assert answer in ("done", "absent", "dead")
        if answer == "done" and alert:
            self.alerts.append(name)
        elif answer == "done":
            self.notes.append((number, name))
        return answer != "dead"


def most_repeats(receiver: Receiver, kills: int) -> None:
    counts = Counter(receiver.keys)
    assert max(counts.values()) <= kills + 1
    assert sum(count - 1 for count in counts.values()) <= kills  # one channel: at most one in flight at each kill


async def check(database: str, receiver: Receiver, answered: Answered) -> None:
    desk = Desk(database, settings(receiver.url))
    await desk.start()
    channels = build_channels(desk.settings, desk)
    try:
        await desk.cycle(desk.now())
        await Outbox(desk, channels).drain()
        known = {alert.labels["number"]: alert.incident for alert in await desk.alerts()}
        incidents = {incident.number: incident for incident in await desk.incidents()}
        assert set(answered.alerts) <= set(known)
        assert all(number in incidents for number in known.values())
        for number, incident in incidents.items():
            await check_record(desk, number, incident)
        for number, text in answered.notes:
            assert text in [event.text for event in await desk.timeline(number) if event.kind == "note"]
        rows = await desk.deliveries(limit=100_000)
        assert {row["key"] for row in rows} == set(receiver.keys)
        assert {row["state"] for row in rows} == {"delivered"}
    finally:
        await close_channels(channels)
        await desk.close()


async def check_record(desk: Desk, number: int, incident: Incident) -> None:
    timeline = await desk.timeline(number)
    assert [event.seq for event in timeline] == list(range(1, len(timeline) + 1))
    assert fold(timeline) == incident
    notes = [event.text for event in timeline if event.kind == "note"]
    assert len(notes) == len(set(notes))


async def rounds(tmp_path: Path, many: int) -> None:
    chance = random.Random(many)
    database = f"sqlite:///{tmp_path / 'shopwatch.db'}"
    answered = Answered()
    with receiving() as receiver:
        receiver.delay = 0.003
        victims = Victims(database, receiver.url)
        for _ in range(many):
            victims.one_works_until_killed(chance.uniform(0.0, 0.4), chance, answered)
        victims.close()
        await check(database, receiver, answered)
        most_repeats(receiver, many)
        assert answered.notes and answered.alerts


@pytest.mark.anyio
async def test_five_kills_lose_nothing_that_was_answered_for(tmp_path: Path) -> None:
    await rounds(tmp_path, 5)


@pytest.mark.anyio
@pytest.mark.long
async def test_fifty_kills_lose_nothing_that_was_answered_for(tmp_path: Path) -> None:
    await rounds(tmp_path, 50)
