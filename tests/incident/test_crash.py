"""kill -9 at random moments: what was answered for is there, and at most the delivery in flight is repeated."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from incident.channels import build_channels, close_channels
from incident.core.model import Event, Incident, fold
from incident.daemon.outbox import Outbox
from incident.desk import Desk
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
        return self.hear()

    def hear(self) -> str:
        assert self._parent.stdout
        return self._parent.stdout.readline().strip()

    def one_works_until_killed(
        self, lives: float, chance: random.Random, answered: "Answered", young: bool = False
    ) -> None:
        """`young`: its time runs from its birth, so that it may be killed while it opens the database."""
        word, process = self.ask("start").split()
        assert word == "born"
        timer = threading.Timer(lives, os.kill, (int(process), signal.SIGKILL))
        if young:
            timer.start()
        alive = self.hear() == "ready"
        if not young:
            timer.start()
        while alive and answered.ask(self.ask, chance):
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
        self.said: list[tuple[int, str]] = []
        self.asked = 0

    def ask(self, ask: Callable[[str], str], chance: random.Random) -> bool:
        """Returns whether there was an answer."""
        self.asked += 1
        name = f"n{self.asked}"
        number = chance.randint(1, len(SERVICES))
        word = chance.choice(("alert", "alert", "note", "update"))
        answer = ask(f"{word} {chance.choice(SERVICES) if word == 'alert' else number} {name}")
        assert answer in ("done", "absent", "dead")
        if answer == "done" and word == "alert":
            self.alerts.append(name)
        elif answer == "done":
            self.said.append((number, name))
        return answer != "dead"


def only_repeats_of_what_was_in_flight(keys: Sequence[str], lives: Sequence[int]) -> None:
    """`keys` as they were received, over one channel; `lives`: how many there were when each life had ended.

    A channel sends one at a time: what was in flight at a kill is the last that was received before it.
    """
    in_flight: Counter[str] = Counter()
    seen: set[str] = set()
    for begin, end in pairwise((0, *lives, len(keys))):
        for key in keys[begin:end]:
            assert key not in seen or in_flight[key] > 0, f"{key} was not in flight, and came again"
            in_flight[key] -= key in seen
            seen.add(key)
        in_flight.update(keys[begin:end][-1:])


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
        for alert in await desk.alerts():
            assert alert.incident is not None
            assert alert.fingerprint in incidents[alert.incident].alerts
        for number, incident in incidents.items():
            await check_record(desk, number, incident)
        for number, text in answered.said:
            assert text in said_in(await desk.timeline(number))
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
    said = said_in(timeline)
    assert len(said) == len(set(said))


def said_in(timeline: Sequence[Event]) -> list[str]:
    return [event.text for event in timeline if event.kind in ("note", "update")]


async def rounds(tmp_path: Path, many: int) -> int:
    """Returns how many messages there were to deliver."""
    chance = random.Random(many)
    database = f"sqlite:///{tmp_path / 'shopwatch.db'}"
    answered = Answered()
    lives: list[int] = []
    with receiving() as receiver:
        receiver.delay = 0.003
        victims = Victims(database, receiver.url)
        number = 0
        while number < many or not (answered.said and answered.alerts):  # a busy machine may answer nothing at first
            number += 1
            assert number < 10 * many, "nothing was ever answered"
            victims.one_works_until_killed(chance.uniform(0.0, 0.4), chance, answered, young=number % 3 == 1)
            time.sleep(0.05)  # what it had sent arrives
            lives.append(len(receiver.received))
        victims.close()
        await check(database, receiver, answered)
        only_repeats_of_what_was_in_flight(receiver.keys, lives)
        assert answered.said and answered.alerts
        return len(set(receiver.keys))


def test_a_repeat_of_what_was_not_in_flight_would_be_noticed() -> None:
    only_repeats_of_what_was_in_flight(["a", "b", "b", "c", "c"], [2, 4, 5])
    for keys in (["a", "b", "a"], ["a", "b", "b", "b", "c"]):
        with pytest.raises(AssertionError):
            only_repeats_of_what_was_in_flight(keys, [2, len(keys)])


@pytest.mark.anyio
async def test_five_kills_lose_nothing_that_was_answered_for(tmp_path: Path) -> None:
    await rounds(tmp_path, 5)


@pytest.mark.anyio
@pytest.mark.long
async def test_fifty_kills_lose_nothing_that_was_answered_for(tmp_path: Path) -> None:
    assert await rounds(tmp_path, 50) > 50
