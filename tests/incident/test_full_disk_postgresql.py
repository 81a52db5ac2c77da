"""PostgreSQL's data on a small disk of memory that gets full, under a real daemon; a service manager keeps it up."""

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from incident.client import Client
from tests.a_prometheus import wait_for
from tests.incident.a_daemon import Daemon, running, workspace
from tests.incident.test_full_disk import mounted, posted
from tests.postgresql import Server, serving

pytestmark = [pytest.mark.needs("tmpfs"), pytest.mark.needs("postgresql")]

ROOM = 100 << 20
BATCHES = 60


@contextmanager
def managed(server: Server) -> Iterator[None]:
    """Begun anew whenever it ends, as PostgreSQL does that cannot write its log."""
    over = threading.Event()

    def look_after() -> None:
        while not over.wait(0.2):
            server.revive()

    thread = threading.Thread(target=look_after)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def an_open_folder() -> Iterator[Path]:
    """pytest's own are for its own account alone, which PostgreSQL's is not."""
    folder = Path(tempfile.mkdtemp(prefix="shopwatch-disk-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def asked(started: Daemon, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connection = HTTPConnection(urlsplit(started.url).netloc, timeout=60)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if text and path.startswith("/api") else text
    finally:
        connection.close()


def sent(started: Daemon, numbers: range) -> dict[int, int]:
    """The status with which each batch of 64 was answered."""
    long = {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
    return {n: asked(started, "POST", "/api/v2/alerts", [alert | long for alert in posted(n)])[0] for n in numbers}


def known(started: Daemon) -> dict[int, int]:
    """How many alerts there are of each batch."""
    status, alerts = asked(started, "GET", "/api/v2/alerts?filter=batch%21%3D%22%22")
    assert status == 200
    found: dict[int, int] = {}
    for alert in alerts:
        batch = int(alert["labels"]["batch"])
        found[batch] = found.get(batch, 0) + 1
    return found


SIGNS = ("could not extend file", "PANIC")  # a table cannot grow; the log cannot, and the server ends


@pytest.mark.long
@pytest.mark.parametrize("full", ["at once", "while it writes its log"])
def test_intake_answers_503_what_was_taken_is_kept_and_it_recovers_by_itself(
    full: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with (
        an_open_folder() as folder,
        mounted(folder / "disk", ROOM) as disk,
        serving(durable=True, disk=disk.folder) as server,
        managed(server),
        running(workspace(tmp_path / "shop"), tmp_path / "state", "--database", server.url(server.create())) as started,
    ):
        answers = sent(started, range(5))
        assert set(answers.values()) == {200}
        disk.fill(leave=0 if full == "at once" else 2 << 20)
        answers |= sent(started, range(5, BATCHES))
        assert set(answers.values()) == {200, 503}
        assert asked(started, "GET", "/-/ready")[0] == 503
        assert asked(started, "GET", "/-/healthy")[0] == 200
        log = (server.folder / "log").read_text()
        assert any(sign in log for sign in SIGNS)  # whichever of the two comes to its end first

        disk.make_room()
        wait_for(lambda: asked(started, "GET", "/-/ready")[0] == 200)
        answers |= sent(started, range(BATCHES, BATCHES + 3))
        found = known(started)
        accepted = {n for n, status in answers.items() if status == 200}
        assert {BATCHES, BATCHES + 1, BATCHES + 2} <= accepted <= set(found)
        assert set(found.values()) == {64}  # whole batches, and none in part
        client = Client(started.url)
        wait_for(lambda: [len(one["alerts"]) for one in client.get("/api/v1/incidents")] == [64 * len(found)])
        said = [json.loads(line)["event"] for line in started.log.read_text().splitlines()]
        assert said.count("database works again") in (1, 2)
        assert len(said) < 100, said
