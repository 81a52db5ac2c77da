"""kill -9 of the whole daemon, fifty times, while it is spoken to over HTTP: at any moment from its birth on."""

import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from incident.channels import build_channels, close_channels
from incident.daemon.outbox import Outbox
from incident.desk import Desk
from tests.incident.a_daemon import CLI, environment, workspace
from tests.incident.crash_harness import settings as harness_settings
from tests.incident.receiver import Receiver, receiving
from tests.incident.test_crash import check_record, only_repeats_of_what_was_in_flight

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
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
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


def one_life(folder: Path, state: Path, lives: Callable[[], float]) -> None:
    """In a process group of its own, of which the daemon alone is killed: its prober has to end by itself."""
    with (folder.parent / "daemon.log").open("a") as log:
        process = subprocess.Popen(
            [*CLI, "-w", str(folder), "run"], stdout=log, stderr=log, env=environment(state), start_new_session=True
        )
        time.sleep(lives())
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    ends = time.monotonic() + 10
    while _anybody_of(process.pid):
        assert time.monotonic() < ends, "what the daemon had started lives on"
        time.sleep(0.02)


def _anybody_of(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


async def check(database: str, receiver: Receiver, speaker: Speaker) -> None:
    desk = Desk(database, harness_settings(receiver.url))
    await desk.start()
    channels = build_channels(desk.settings, desk)
    try:
        await desk.cycle(desk.now())
        await Outbox(desk, channels).drain()
        alerts = {alert.labels["number"]: alert for alert in await desk.alerts()}
        assert set(speaker.alerts) <= set(alerts)
        incidents = {incident.number: incident for incident in await desk.incidents()}
        assert all(alert.fingerprint in incidents[alert.incident or 0].alerts for alert in alerts.values())
        said = {number: [event.text for event in await desk.timeline(number)] for number in incidents}
        assert all(said[number].count(text) == 1 for number, text in speaker.said)
        for number, incident in incidents.items():
            await check_record(desk, number, incident)
        rows = await desk.deliveries(limit=100_000)
        assert {row["key"] for row in rows} == set(receiver.keys)
        assert {row["state"] for row in rows} == {"delivered"}
    finally:
        await close_channels(channels)
        await desk.close()


@pytest.mark.anyio
@pytest.mark.long
async def test_the_whole_daemon_is_killed_fifty_times_and_loses_nothing_that_it_answered_for(tmp_path: Path) -> None:
    chance, state, port = random.Random(50), tmp_path / "state", free_port()
    speaker = Speaker(port, state, random.Random(51))
    lives: list[int] = []
    with receiving() as receiver:
        receiver.delay = 0.003
        folder = workspace(tmp_path / "shop", SETTINGS.format(url=receiver.url, port=port))
        with speaking(speaker):
            for _ in range(50):
                one_life(folder, state, lambda: chance.uniform(0.0, 3.5))
                lives.append(len(receiver.received))
        assert len(speaker.alerts) > 50
        assert speaker.said
        await check(f"sqlite:///{folder / '.shopwatch' / 'shopwatch.db'}", receiver, speaker)
    only_repeats_of_what_was_in_flight(receiver.keys, lives)
