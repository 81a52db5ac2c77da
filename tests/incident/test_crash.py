"""kill -9 at random moments: what was answered for is there, and at most the delivery in flight is repeated."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.incident.crash_checks import check, only_repeats_of_what_was_in_flight
from tests.incident.crash_harness import SERVICES
from tests.incident.receiver import receiving
from tests.postgresql import Server, serving

ROOT = Path(__file__).parents[2]
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))]
FIVE = range(1, 6)  # seeds of a soak: so many databases are killed a hundred times each
SERVER_TOO = 6  # in every so many rounds the database's server is killed as well


class Victims:
    """Processes of the harness, one after the other, each fed with commands until it is killed."""

    def __init__(
        self,
        kind: str,
        database: str,
        place: str,
        log: int = subprocess.DEVNULL,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        command = [sys.executable, "-m", "tests.incident.crash_harness", kind, database, place]
        self._parent = subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment
        )

    def born(self) -> int:
        """The process number of a new one."""
        word, process = self.ask("start").split()
        assert word == "born"
        return int(process)

    def ask(self, line: str) -> str:
        assert self._parent.stdin and self._parent.stdout
        self._parent.stdin.write(line + "\n")
        self._parent.stdin.flush()
        return self.hear()

    def hear(self) -> str:
        assert self._parent.stdout
        return self._parent.stdout.readline().strip()

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
        assert answer in ("done", "absent", "refused", "dead")
        if answer == "done" and word == "alert":
            self.alerts.append(name)
        elif answer == "done":
            self.said.append((number, name))
        return answer != "dead"


def shoot(process: int) -> None:
    with suppress(ProcessLookupError):  # it found no database, and ended
        os.kill(process, signal.SIGKILL)


def one_works_until_killed(
    victims: Victims, lives: float, chance: random.Random, answered: Answered, young: bool = False
) -> None:
    """`young`: its time runs from its birth, so that it may be killed while it opens the database."""
    timer = threading.Timer(lives, shoot, (victims.born(),))
    if young:
        timer.start()
    alive = victims.hear() == "ready"
    if not young:
        timer.start()
    while alive and answered.ask(victims.ask, chance):
        continue
    timer.join()


@contextmanager
def a_database(kind: str, tmp_path: Path) -> Iterator[tuple[str, Server | None]]:
    """Its address, and its server, which may be killed."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'shopwatch.db'}", None
        return
    with serving(durable=True) as server:
        yield server.url(server.create()), server


@contextmanager
def killed_meanwhile(server: Server | None, after: float) -> Iterator[None]:
    """The server dies `after` so many seconds, and is started anew."""
    if server is None:
        yield
        return

    def die_and_rise() -> None:
        server.kill()
        server.start()

    timer = threading.Timer(after, die_and_rise)
    timer.start()
    yield
    timer.join()


async def rounds(kind: str, tmp_path: Path, many: int, seed: int = 0) -> int:
    """Returns how many messages there were to deliver."""
    chance = random.Random(1000 * many + seed)
    answered = Answered()
    lives: list[int] = []
    with receiving() as receiver, a_database(kind, tmp_path) as (database, server):
        receiver.delay = 0.003
        victims = Victims("desk", database, receiver.url)
        number = 0
        while number < many or len(answered.said) < many:  # a busy machine answers little between two kills
            number += 1
            assert number < 10 * many, "nothing was ever answered"
            lives_for = chance.uniform(0.0, 0.3)
            shot = server if number % SERVER_TOO == 0 else None
            with killed_meanwhile(shot, chance.uniform(0.0, lives_for)):
                one_works_until_killed(victims, lives_for, chance, answered, young=number % 3 == 1)
            receiver.settle()  # what it had sent arrives
            lives.append(len(receiver.received))
        victims.close()
        await check(database, receiver, answered.alerts, answered.said)
        only_repeats_of_what_was_in_flight(receiver.keys, lives)
        return len(set(receiver.keys))


def test_a_repeat_of_what_was_not_in_flight_would_be_noticed() -> None:
    only_repeats_of_what_was_in_flight(["a", "b", "b", "c", "c"], [2, 4, 5])
    for keys in (["a", "b", "a"], ["a", "b", "b", "b", "c"]):
        with pytest.raises(AssertionError):
            only_repeats_of_what_was_in_flight(keys, [2, len(keys)])


@pytest.mark.anyio
@pytest.mark.parametrize("kind", DATABASES)
async def test_five_kills_lose_nothing_that_was_answered_for(kind: str, tmp_path: Path) -> None:
    await rounds(kind, tmp_path, 5)


@pytest.mark.anyio
@pytest.mark.long
@pytest.mark.parametrize("kind", DATABASES)
async def test_thirty_kills_lose_nothing_that_was_answered_for(kind: str, tmp_path: Path) -> None:
    assert await rounds(kind, tmp_path, 30) > 10


@pytest.mark.anyio
@pytest.mark.long
@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("seed", FIVE)
async def test_a_hundred_kills_five_times_over_lose_nothing(kind: str, seed: int, tmp_path: Path) -> None:
    assert await rounds(kind, tmp_path, 100, seed) > 40
