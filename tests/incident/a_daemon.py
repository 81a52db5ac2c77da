"""Runs `shopwatch run` as a process of its own, as a user does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SETTINGS = """
shop: {name: Example Shop, languages: [en, zh]}
services:
  login: {title: Sign-in}
  payment: {title: Payment, title_zh: 支付}
"""
CLI = [sys.executable, "-P", "-m", "cli"]


@dataclass
class Daemon:
    process: subprocess.Popen[str]
    url: str
    workspace: Path
    said: list[str]
    """What it printed for people."""
    log: Path

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Its exit code, and how many seconds it took to end."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(60), time.monotonic() - began

    def children(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]


def workspace(folder: Path, settings: str = SETTINGS) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "shopwatch.yaml").write_text(settings, encoding="utf-8")
    return folder


def environment(state: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SHOPWATCH_")}
    return kept | {"XDG_STATE_HOME": str(state), "SHOPWATCH_LOG": "json", "PYTHONWARNINGS": "default"}


@contextmanager
def running(folder: Path, state: Path, *more: str, prefix: Sequence[str] = ()) -> Iterator[Daemon]:
    """`prefix`: a command that starts it in some other way."""
    log = folder.with_suffix(".log")
    with log.open("w") as errors:
        command = [*prefix, *CLI, "-w", str(folder), "run", "--port", "0", *more]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment(state))
        try:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(3)]
            assert said[0].startswith("Status page"), log.read_text()
            yield Daemon(process, said[0].split()[-1].rstrip("/"), folder, said, log)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)
            if process.stdout is not None:
                process.stdout.close()
