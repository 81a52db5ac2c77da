"""Whether the command line answers in a storm: `python -m tests.bench storm`.

Ten thousand new alerts of fifty services come evenly within a while, to the real daemon; meanwhile commands are started
one after the other, as people start them. Their whole time counts, that of Python's start too.
"""

import socket
import subprocess
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.bench.intake_load import BATCH, SERVICES, answer, batches
from tests.incident import a_daemon

ALERTS, SECONDS = 10_000, 60.0
MOST = 0.2  # seconds, the median
COMMANDS = (
    ("incident", "list"),
    ("incident", "list", "--json"),
    ("incident", "show", "1"),
    ("incident", "timeline", "1"),
    ("alert", "list"),
    ("alert", "list", "--json"),
    ("silence", "list"),
)


def _storm(port: int) -> None:
    bodies = batches(0, ALERTS, datetime.now(UTC))
    head = f"POST /api/v2/alerts HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for number, body in enumerate(bodies):
            time.sleep(max(0.0, began + number * SECONDS * BATCH / ALERTS - time.monotonic()))
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer(connection)


def measure(folder: Path) -> dict[tuple[str, ...], list[float]]:
    """Seconds of each command, each time that it was started."""
    services = "".join(f"  service-{number}: {{title: Service {number}}}\n" for number in range(SERVICES))
    a_daemon.workspace(folder / "shop", f"shop: {{name: Bench}}\nservices:\n{services}")
    took: dict[tuple[str, ...], list[float]] = {command: [] for command in COMMANDS}
    environment = a_daemon.environment(folder / "state")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as where people work: what Python compiled once is kept
    with a_daemon.running(folder / "shop", folder / "state") as daemon:
        storm = threading.Thread(target=_storm, args=(int(daemon.url.rpartition(":")[2]),))
        storm.start()
        time.sleep(2.0)  # there is an incident by then
        while storm.is_alive():
            for command in COMMANDS:
                began = time.monotonic()
                subprocess.run(
                    [*a_daemon.CLI, *command, "--url", daemon.url], env=environment, capture_output=True, check=True
                )
                took[command].append(time.monotonic() - began)
                time.sleep(0.1)
        storm.join()
    return took


def compare() -> bool:
    with tempfile.TemporaryDirectory(prefix="shopwatch-storm-") as folder:
        took = measure(Path(folder))
    print(f"Commands while {ALERTS} alerts come in {SECONDS:g} s: seconds, at most {MOST:g} in the middle")
    for command, seconds in took.items():
        print(f"  {' '.join(command):<24}{median(seconds):>6.3f}   (at most {max(seconds):.3f}, {len(seconds)} times)")
    met = all(median(seconds) <= MOST for seconds in took.values())
    print(f"  {'yes' if met else 'NO'}", flush=True)
    return met
