"""kill -9 of the whole daemon, while it is spoken to over HTTP: at any moment from its birth on."""

import json
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.incident.a_daemon import environment, workspace
from tests.incident.crash_checks import check, only_repeats_of_what_was_in_flight
from tests.incident.receiver import receiving
from tests.incident.test_crash import DATABASES, FIVE, SERVER_TOO, Victims, a_database, killed_meanwhile, shoot

SETTINGS = """
shop: {{name: Example Shop}}
services:
  login: {{title: Login}}
  catalog: {{title: Catalog}}
  payment: {{title: Payment}}
  logistics: {{title: Parcels}}
channels: {{hook: {{webhook: "{url}"}}}}
routes: [{{channels: [hook]}}]
listen: {{port: {port}}}
"""
SERVICES = ("login", "catalog", "payment", "logistics")


def free_port() -> int:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return int(some.getsockname()[1])


class Speaker:
    """Sends alerts, notes and updates without pause, and keeps what was answered with 200."""

    def __init__(self, port: int, state: Path, chance: random.Random) -> None:
        self.port, self.chance = port, chance
        self.token = state / "shopwatch" / f"127.0.0.1_{port}.token"
        self.alerts: list[str] = []
        self.said: list[tuple[int, str]] = []
        self.asked = 0
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.is_set():
            try:
                self._speak()
            except (OSError, HTTPException):
                time.sleep(0.01)

    def _speak(self) -> None:
        self.asked += 1
        name = f"n{self.asked}"
        if self.chance.random() < 0.5:
            now = datetime.now(UTC)
            alert = {
                "labels": {"alertname": "Down", "service": self.chance.choice(SERVICES), "number": name},
                "startsAt": now.isoformat(),
                "endsAt": (now + timedelta(hours=1)).isoformat(),
            }
            if self._post("/api/v2/alerts", [alert]):
                self.alerts.append(name)
            return
        number = self.chance.randint(1, len(SERVICES))
        if self._post(f"/api/v1/incidents/{number}/{self.chance.choice(('note', 'update'))}", {"text": name}):
            self.said.append((number, name))

    def _post(self, path: str, document: Any) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/json"}
        if path.startswith("/api/v1"):
            headers["Authorization"] = f"Bearer {self.token.read_text().strip()}"
        try:
            connection.request("POST", path, json.dumps(document), headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status == 200
        finally:
            connection.close()


@contextmanager
def speaking(speaker: Speaker) -> Iterator[None]:
    thread = threading.Thread(target=speaker.run)
    thread.start()
    try:
        yield
    finally:
        speaker.done.set()
        thread.join()


def one_life(victims: Victims, lives: float) -> None:
    """In a process group of its own, of which the daemon alone is killed: its prober has to end by itself."""
    process = victims.born()
    time.sleep(lives)
    shoot(process)
    assert victims.hear() == "dead"
    ends = time.monotonic() + 60
    while _anybody_of(process):
        assert time.monotonic() < ends, "what the daemon had started lives on"
        time.sleep(0.02)


def _anybody_of(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


async def rounds(kind: str, tmp_path: Path, many: int, seed: int = 0) -> None:
    chance, port = random.Random(1000 * many + seed), free_port()
    speaker = Speaker(port, tmp_path / "state", random.Random(1000 * many + seed + 500))
    lives: list[int] = []
    with (
        receiving() as receiver,
        a_database(kind, tmp_path) as (database, server),
        (tmp_path / "daemon.log").open("w") as log,
    ):
        receiver.delay = 0.003
        folder = workspace(tmp_path / "shop", SETTINGS.format(url=receiver.url, port=port))
        victims = Victims("daemon", database, str(folder), log.fileno(), environment(tmp_path / "state"))
        with speaking(speaker):
            while len(lives) < many or not (speaker.said and speaker.alerts):
                assert len(lives) < 10 * many, "nothing was ever answered"
                lives_for = chance.uniform(0.0, 1.2)
                shot = server if len(lives) % SERVER_TOO == 1 else None
                with killed_meanwhile(shot, chance.uniform(0.0, lives_for)):
                    one_life(victims, lives_for)
                receiver.settle()  # what it had sent arrives
                lives.append(len(receiver.received))
        victims.close()
        await check(database, receiver, speaker.alerts, speaker.said)
    only_repeats_of_what_was_in_flight(receiver.keys, lives)


@pytest.mark.anyio
@pytest.mark.long
@pytest.mark.parametrize("kind", DATABASES)
async def test_the_whole_daemon_is_killed_and_loses_nothing_that_it_answered_for(kind: str, tmp_path: Path) -> None:
    await rounds(kind, tmp_path, 30)


@pytest.mark.anyio
@pytest.mark.long
@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("seed", FIVE)
async def test_the_whole_daemon_is_killed_a_hundred_times_five_times_over(kind: str, seed: int, tmp_path: Path) -> None:
    await rounds(kind, tmp_path, 100, seed)
