"""From a fault in the shop to the webhook that tells of it: ours, and Prometheus + blackbox exporter + Alertmanager.

    python -m tests.bench detection [FAULTS]           1 s intervals, no waiting configured on either side
    python -m tests.bench detection defaults [FAULTS]  each as it is shipped; takes two minutes

Both chains are real and watch the same shop at the same time: a page for each fault, so that no fault waits for the
end of the one before it. At 1 s intervals each chain has its own moment for a page's fault, and those are spread evenly
over the time between two of its looks at that page; else both have the same random one. The clock stops when the
webhook has come.
"""

import http.server
import json
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.incident import a_daemon

PROGRAMS = ("prometheus", "prometheus-alertmanager", "prometheus-blackbox-exporter")
CHAINS = ("ours", "theirs")
FAULTS = 40  # half of them fall into the later half of an interval, give or take
FOR_1M = 60.0  # seconds that `for: 1m` adds to theirs: the rule must have held for so long


@dataclass(frozen=True)
class Mode:
    """`ours`: keys of the journey; `scrape` and `group_wait` of theirs, with the unit. `pause`: seconds between faults,
    from and to. Exactly one limit: seconds of ours, or our share of their time."""

    name: str
    ours: str
    scrape: str
    group_wait: str
    pause: tuple[float, float]
    settle: float
    patience: float
    most: float | None = None
    ratio: float | None = None
    every: float | None = None  # seconds: faults are spread evenly over it, for a median that means something


EAGER = Mode(
    "1 s intervals, no waiting", "every: 1s\ntimeout: 900ms\nalert: {after: 1 of 1, clear: 1}\n", "1s", "0s",
    (0.2, 1.2), 8.0, 20.0, ratio=0.65, every=1.0,
)  # fmt: skip
SHIPPED = Mode("shipped defaults", "every: 30s\n", "15s", "30s", (0.5, 2.0), 35.0, 120.0, most=25.0)


@dataclass
class Shop:
    """`/N` answers 500 to WHO once N is broken for WHO, one of the chains; a webhook to `/told/WHO` counts for every
    page whose name is in it. Instants, by chain and page."""

    url: str = ""
    broken: dict[str, dict[str, float]] = field(default_factory=lambda: {who: {} for who in CHAINS})
    asked: dict[str, dict[str, float]] = field(default_factory=lambda: {who: {} for who in CHAINS})  # the last time
    told: dict[str, dict[str, float]] = field(default_factory=lambda: {who: {} for who in CHAINS})


@contextmanager
def shop() -> Iterator[Shop]:
    state = Shop()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            who, page = CHAINS[not self.headers["User-Agent"].startswith("shopwatch")], self.path.strip("/")
            state.asked[who][page] = time.monotonic()
            self._answer(500 if page in state.broken[who] else 200)

        def do_POST(self) -> None:
            at = time.monotonic()
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            who = self.path.rpartition("/")[2]
            for name in list(state.broken[who]):
                if f'"{name}"' in body:
                    state.told[who].setdefault(name, at)
            self._answer(200)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 1024
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield state
        server.shutdown()


def installed() -> bool:
    return all(shutil.which(program) is not None for program in PROGRAMS)


def _pages(count: int) -> list[str]:
    return [f"page{number}" for number in range(count)]


def write_ours(folder: Path, url: str, mode: Mode, pages: list[str]) -> None:
    (folder / "probes").mkdir(parents=True)
    services = "".join(f"  {page}: {{title: Page {page}}}\n" for page in pages)
    (folder / "shopwatch.yaml").write_text(
        f"shop: {{name: Bench}}\nservices:\n{services}channels:\n  hook: {{webhook: {url}/told/ours}}\n"
        "routes: [{channels: [hook]}]\n"
    )
    journeys = [
        f"journey: {page}\nservice: {page}\nbase: {url}\n{mode.ours}steps:\n  - get: /{page}\n" for page in pages
    ]
    (folder / "probes" / "pages.yaml").write_text("---\n".join(journeys))


@contextmanager
def theirs(folder: Path, url: str, mode: Mode, pages: list[str]) -> Iterator[None]:
    folder.mkdir()
    prometheus, alertmanager, blackbox = (_free_port() for _ in range(3))
    (folder / "blackbox.yml").write_text("modules:\n  shop: {prober: http, http: {preferred_ip_protocol: ip4}}\n")
    route = {"receiver": "hook", "group_by": ["instance"], "group_wait": mode.group_wait, "group_interval": "5m"}
    receiver = {"name": "hook", "webhook_configs": [{"url": f"{url}/told/theirs"}]}
    (folder / "alertmanager.yml").write_text(json.dumps({"route": route, "receivers": [receiver]}))
    rule = {"alert": "Down", "expr": "probe_success == 0", "annotations": {"summary": "{{ $labels.page }}"}}
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "shop", "rules": [rule]}]}))
    scrape: dict[str, Any] = {
        "job_name": "shop",
        "metrics_path": "/probe",
        "params": {"module": ["shop"]},
        "static_configs": [
            {"targets": [f"{url}/{page}"], "labels": {"page": page}} for page in pages
        ],
        "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": f"127.0.0.1:{blackbox}"},
        ],
    }  # fmt: skip
    settings = {"scrape_interval": mode.scrape, "evaluation_interval": mode.scrape, "scrape_timeout": "1s"}
    managers = {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]}
    (folder / "prometheus.yml").write_text(
        json.dumps({"global": settings, "rule_files": ["rules.yml"], "scrape_configs": [scrape], "alerting": managers})
    )
    commands = [
        [PROGRAMS[2], f"--config.file={folder}/blackbox.yml", f"--web.listen-address=127.0.0.1:{blackbox}"],
        [PROGRAMS[1], f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/am",
         f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address="],
        [PROGRAMS[0], f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
         f"--web.listen-address=127.0.0.1:{prometheus}"],
    ]  # fmt: skip
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with ExitStack() as stack:
        for command in commands:
            process = stack.enter_context(subprocess.Popen(command, **quiet))
            stack.callback(process.terminate)
        yield


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def measure(mode: Mode, faults: int) -> dict[str, list[float]]:
    """Seconds from each fault to the webhook, by chain. Raises TimeoutError where one of them says nothing."""
    pages = _pages(faults)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shopwatch-detection-")))
        state = stack.enter_context(shop())
        write_ours(folder / "ours", state.url, mode, pages)
        stack.enter_context(theirs(folder / "theirs", state.url, mode, pages))
        stack.enter_context(a_daemon.running(folder / "ours", folder / "state"))
        time.sleep(mode.settle)
        for number, page in enumerate(pages):
            time.sleep(random.uniform(*mode.pause))
            for who in CHAINS:
                if mode.every is not None:
                    place = state.asked[who][page] + mode.every * (number + 0.5) / faults
                    time.sleep((place - time.monotonic()) % mode.every)
                state.broken[who][page] = time.monotonic()
        end = time.monotonic() + mode.patience
        while any(len(told) < faults for told in state.told.values()):
            if time.monotonic() > end:
                counts = {who: len(told) for who, told in state.told.items()}
                log = (folder / "ours.log").read_text()[-2000:]
                raise TimeoutError(f"of {faults} faults, these were told of: {counts}\n{log}")
            time.sleep(0.1)
    return {who: [at - state.broken[who][page] for page, at in told.items()] for who, told in state.told.items()}


def compare(mode: Mode, faults: int) -> bool:
    took = measure(mode, faults)
    ours, peers = median(took["ours"]), median(took["theirs"])
    print(f"From fault to webhook, {mode.name}: median of {faults} faults")
    for who, seconds in took.items():
        print(f"  {who:<8}{median(seconds):>8.2f} s   (from {min(seconds):.2f} to {max(seconds):.2f})")
    if mode.ratio is not None:
        met, limit = ours / peers <= mode.ratio, f"ratio {ours / peers:.2f}, at most {mode.ratio}"
    else:
        assert mode.most is not None
        met, limit = ours <= mode.most, f"{ours:.1f} s, at most {mode.most:g} s"
        print(f"  theirs with `for: 1m`, which guards it against a single failure: {peers + FOR_1M:.0f} s")
    print(f"  {limit}: {'yes' if met else 'NO'}", flush=True)
    return met


def main(arguments: list[str]) -> int:
    mode = SHIPPED if arguments[:1] == ["defaults"] else EAGER
    faults = int(arguments[-1]) if arguments and arguments[-1].isdigit() else FAULTS
    os.environ.pop("SHOPWATCH_TOKEN", None)
    return 0 if compare(mode, faults) else 1
