"""Three probers in three places, and a daemon that is killed under them."""

import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from incident.client import Client
from tests.incident.a_daemon import SETTINGS, environment, running, workspace

PLACES = ("frankfurt", "lisbon", "oslo")
SECRET = "a-secret-of-the-probers"
JOURNEY = """
journey: checkout
service: payment
every: 250ms
base: {url}
steps: [{{get: /}}]
alert: {{where: 2 of 3 locations, confirm: 50ms}}
"""


class Shop(ThreadingHTTPServer):
    """Remembers which runs came. While it is not `up` it answers 503."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.runs: list[str] = []
        self.up = True


class _Answers(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        self.server.runs.append(self.headers.get("X-Shopwatch-Run", "").partition(".")[0])
        self.send_response(200 if self.server.up else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def prober(folder: Path, place: str, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """As `shopwatch probe serve` starts it."""
    command = [sys.executable, "-P", "-m", "probes", "-w", str(folder), "--location", place, "--report-to", url]
    more = {"SHOPWATCH_TOKEN": SECRET, "SHOPWATCH_RUN_KEY": "key"}
    with (folder.parent / f"{place}.log").open("w") as log:
        process = subprocess.Popen(command, stderr=log, env=environment(folder.parent) | more)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"in vain for {what}"
        time.sleep(0.1)


def stored(folder: Path) -> list[tuple[str, str]]:
    """Location and id of every run in the database, as often as it is there."""
    with sqlite3.connect(f"file:{folder}/.shopwatch/shopwatch.db?mode=ro", uri=True) as connection:
        query = "select p.location, r.run_id from runs r join run_places p on p.id = r.place"
        rows = connection.execute(query).fetchall()
    connection.close()
    return rows


@pytest.mark.long
def test_nothing_is_lost_or_counted_twice_when_the_daemon_is_killed_under_three_locations(
    tmp_path: Path, shop: Shop
) -> None:
    settings = f"{SETTINGS}\nintake: {{sources: [{{name: probers, token: {SECRET}}}]}}\n"
    folder = workspace(tmp_path / "shop", settings)
    (folder / "probes").mkdir()
    (folder / "probes" / "checkout.yaml").write_text(JOURNEY.format(url=f"http://127.0.0.1:{shop.server_address[1]}"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        with running(folder, tmp_path / "state", "--port", port) as daemon:
            probers = [stack.enter_context(prober(folder, place, url)) for place in PLACES]
            wait_for(lambda: {place for place, _ in stored(folder)} >= set(PLACES), "results of all places")
            daemon.process.send_signal(signal.SIGKILL)
            daemon.process.wait(60)
        before = len(set(stored(folder)))
        time.sleep(2.0)
        made_meanwhile = [run for run in shop.runs if run]
        with running(folder, tmp_path / "state", "--port", port) as daemon:
            wait_for(lambda: {run for _, run in stored(folder)} >= set(made_meanwhile), "what ran meanwhile")
            heard = Client(url, SECRET).get("/api/v1/locations")
            assert {row["location"] for row in heard} >= set(PLACES)
            assert not any(row["silent"] for row in heard)
            assert [row["agrees_on"] for row in heard if row["location"] in PLACES] == [["checkout"]] * 3
            _told_once_two_agree(folder, shop, url)
            for process in probers:
                process.terminate()
                process.wait(60)
            rows = stored(folder)
            assert len(rows) == len(set(rows)) > before
            _counted_once(url, rows)


def _told_once_two_agree(folder: Path, shop: Shop, url: str) -> None:
    """All places see the shop fail: their alerts are of one incident."""
    shop.up = False
    wait_for(lambda: _down(url) >= set(PLACES), "alerts of all places")
    with sqlite3.connect(f"file:{folder}/.shopwatch/shopwatch.db?mode=ro", uri=True) as connection:
        wait_for(lambda: connection.execute("select count(*) from incidents").fetchone() == (1,), "one incident")
        rows = connection.execute("select labels, annotations from alerts").fetchall()
    connection.close()
    for labels, annotations in rows:
        if json.loads(labels)["alertname"] == "JourneyDown":
            assert json.loads(annotations)["where"] == "2 of 3"


def _down(url: str) -> set[str]:
    """The places whose alert of the journey has come in."""
    rows = Client(url, SECRET).get("/api/v1/journeys")
    return {row["location"] for row in rows if row["outcome"] == "down"}


def _counted_once(url: str, rows: list[tuple[str, str]]) -> None:
    """No location has more runs in the metrics than in the database, where those before the restart are too."""
    request = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"Bearer {SECRET}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read().decode()
    kept = Counter(place for place, _ in rows)
    for place in PLACES:
        pattern = rf'^shopwatch_probe_runs_total{{[^}}]*location="{place}"[^}}]*}} ([0-9.]+)'
        counted = sum(float(number) for number in re.findall(pattern, text, re.M))
        assert 0 < counted <= kept[place]
