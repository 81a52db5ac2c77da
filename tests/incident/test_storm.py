"""Ten thousand alerts over fifty services, through HTTP, with the real daemon and the real command line."""

import json
import subprocess
import time
from collections import Counter
from pathlib import Path
from threading import Thread

import pytest

from incident.client import Client
from tests.incident.a_daemon import CLI, environment, running, workspace

ALERTS, SERVICES, SECONDS = 10_000, 50, 12.0
NEEDS = ("", "0", "0", "1", "2")  # in each tree of five: the root, two that need it, and one that needs each of these
TREE = len(NEEDS)
SETTINGS = "shop: {name: Example Shop}\nservices:\n" + "".join(
    f"  s{n}: {{title: S{n}, needs: [{f's{n - n % TREE + int(need)}' if (need := NEEDS[n % TREE]) else ''}]}}\n"
    for n in range(SERVICES)
)
LOOSELY = 30.0  # seconds for a command that should take 0.2: other tests run beside; `make bench` has the numbers


def alert(number: int) -> dict[str, object]:
    """The leaves of all trees come first, and the roots last: nobody can know then what it is about."""
    level, within = divmod(number, ALERTS // TREE)
    service = within % (SERVICES // TREE) * TREE + TREE - 1 - level
    labels = {"alertname": f"A{number}", "service": f"s{service}", "severity": "critical"}
    return {"labels": labels, "annotations": {"summary": f"Alert {number} of the storm"}}


def send_all(client: Client) -> None:
    began = time.monotonic()
    for first in range(0, ALERTS, 100):
        time.sleep(max(0.0, began + first * SECONDS / ALERTS - time.monotonic()))
        send(client, first)


@pytest.mark.long
def test_a_storm_is_an_incident_and_a_page_for_each_root_and_a_record_that_people_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with running(workspace(tmp_path / "shop", SETTINGS), tmp_path / "state") as daemon:
        client = Client(daemon.url, timeout=60)
        storm = Thread(target=send_all, args=(client,))
        storm.start()
        slowest = 0.0
        while storm.is_alive():
            for command in (("incident", "list"), ("alert", "list", "--json")):
                slowest = max(slowest, took(daemon.url, tmp_path, *command))
        storm.join()
        until = time.monotonic() + 90
        while sum(len(one["alerts"]) for one in client.get("/api/v1/incidents")) < ALERTS:
            assert time.monotonic() < until
            time.sleep(0.5)
        incidents = client.get("/api/v1/incidents")
        assert Counter(one["service"] for one in incidents) == {f"s{n}": 1 for n in range(0, SERVICES, TREE)}
        assert len(client.get("/api/v1/incidents?all=true")) == len(incidents)
        for one in incidents:
            events = client.get(f"/api/v1/incidents/{one['number']}/timeline")
            assert Counter(event["kind"] for event in events)["paged"] <= 1
            assert len(events) <= 60
            assert max(len(event["text"]) for event in events) < 300
        assert len(client.get("/api/v2/alerts")) == ALERTS
        assert slowest < LOOSELY


def send(client: Client, first: int) -> None:
    client.post("/api/v2/alerts", [alert(number) for number in range(first, first + 100)])


def took(url: str, tmp_path: Path, *command: str) -> float:
    began = time.monotonic()
    done = subprocess.run(
        [*CLI, *command, "--url", url], env=environment(tmp_path / "state"), capture_output=True, check=True, timeout=60
    )
    if "--json" in command:
        json.loads(done.stdout)
    return time.monotonic() - began
