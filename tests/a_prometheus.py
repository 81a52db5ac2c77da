"""A real Prometheus, begun and ended by a test."""

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen


@dataclass
class Prometheus:
    url: str
    log: Path

    def query(self, text: str) -> dict[tuple[tuple[str, str], ...], float]:
        """The instant query's values, by the labels of each series."""
        found = self.get(f"/api/v1/query?query={quote(text)}")["data"]["result"]
        return {tuple(sorted(item["metric"].items())): float(item["value"][1]) for item in found}

    def get(self, path: str) -> Any:
        with urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def wait_for(condition: Callable[[], Any], seconds: float = 90.0) -> Any:
    """What the condition gives once it is true; OSErrors meanwhile mean not yet."""
    end = time.monotonic() + seconds
    while True:
        try:
            if found := condition():
                return found
        except OSError:
            pass
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def running(folder: Path, config: str) -> Iterator[Prometheus]:
    """`config`: the text of its prometheus.yml."""
    folder.mkdir(exist_ok=True)
    file, log, port = folder / "prometheus.yml", folder / "prometheus.log", free_port()
    file.write_text(config, encoding="utf-8")
    command = [
        "prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=1s",
    ]  # fmt: skip
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    found = Prometheus(f"http://127.0.0.1:{port}", log)
    try:
        wait_for(lambda: urlopen(f"{found.url}/-/ready", timeout=30).status == 200)
        yield found
    finally:
        process.terminate()
        process.wait(60)
