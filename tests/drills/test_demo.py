"""`shopwatch demo`, as a user runs it: real processes, real sockets."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

DEMO = [sys.executable, "-P", "-m", "cli", "demo"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def demo(tmp_path: Path, environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [*DEMO, "--port", "0"],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def run(folder: Path, environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*DEMO, *arguments], env=environment, cwd=folder, capture_output=True, text=True, timeout=90, check=False
    )


def read_until(process: "subprocess.Popen[str]", pattern: str) -> str:
    assert process.stdout is not None
    shown = ""
    for line in process.stdout:
        shown += line
        if re.search(pattern, line):
            return shown
    raise AssertionError(f"{pattern} never came:\n{shown}")


def _free_run_of_ports() -> int:
    """The first of four ports that nobody uses just now, below those that the system gives out."""
    for first in range(21000 + os.getpid() % 5000, 32000, 4):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + 4):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise AssertionError("no four ports in a row are free")


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that were started with this TMPDIR in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (entry / "environ").read_bytes() and entry.name != str(os.getpid()):
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # gone meanwhile, or somebody else's
    return found


@pytest.mark.by_the_clock
@pytest.mark.timeout(300)
def test_once_breaks_the_shop_and_passes_within_45_seconds(tmp_path: Path, environment: dict[str, str]) -> None:
    began = time.monotonic()
    done = run(tmp_path, environment, "--once", "--port", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < 45
    for said in (
        r"journey  payment down .*: pay: status",
        r"#1 +shopwatch: opened: \[DRILL\] ",
        r"#1 +drill-responder: acknowledged",
        r"#1 +shopwatch: runbook: .*payment-channel-failure",
        r"#1 +drill-responder: update: Some payments are failing",
        r"#1 +drill-responder: resolved",
        r"Drill payment-declines: passed",
        r"recovery +within 30s +\d+\.\d s +met",
        r"The status page: +http://127\.0\.0\.1:\d+/ +in Chinese: http://127\.0\.0\.1:\d+/zh/",
    ):
        assert re.search(said, done.stdout), f"{said} is not in:\n{done.stdout}"
    assert "\x1b" not in done.stdout
    assert processes_of(tmp_path) == []
    workspaces = list(tmp_path.glob("shopwatch-demo-*"))
    assert len(workspaces) == 1 and f"{workspaces[0]}" in done.stdout
    assert [path.name for path in (tmp_path / "state").rglob("*") if path.is_file()] == []


def test_it_runs_where_the_account_has_no_state_folder_to_write_to(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "file").touch()
    state = tmp_path / "file" / "state"
    process = subprocess.Popen(
        [*DEMO, "--port", "0"], env=environment | {"XDG_STATE_HOME": str(state)}, cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert f"{state}/shopwatch cannot be written" in read_until(process, "journey  .* up")
    finally:
        process.terminate()
        process.communicate()
    assert processes_of(tmp_path) == []


@pytest.mark.by_the_clock
def test_ctrl_c_ends_everything_within_three_seconds(tmp_path: Path, demo: "subprocess.Popen[str]") -> None:
    read_until(demo, "journey  .* up")
    began = time.monotonic()
    demo.send_signal(signal.SIGINT)
    demo.wait(60)
    assert time.monotonic() - began < 3
    assert demo.returncode == 0
    assert processes_of(tmp_path) == []


def test_kill_9_of_the_demo_leaves_no_process_behind(tmp_path: Path, demo: "subprocess.Popen[str]") -> None:
    read_until(demo, "journey  .* up")
    demo.kill()
    demo.wait()
    end = time.monotonic() + 60
    while processes_of(tmp_path) and time.monotonic() < end:
        time.sleep(0.1)
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("offset", [0, 1, 3])
def test_a_port_in_use_is_said_plainly_and_ends_with_2(
    tmp_path: Path, environment: dict[str, str], offset: int
) -> None:
    with socket.socket() as taken:
        port = _free_run_of_ports() + offset
        taken.bind(("127.0.0.1", port))
        taken.listen()
        first = port - offset
        done = run(tmp_path, environment, "--once", "--port", str(first))
    assert done.returncode == 2
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr
    assert "Traceback" not in done.stderr
    assert processes_of(tmp_path) == []
    assert list(tmp_path.glob("shopwatch-demo-*")) == []


def test_the_workspace_that_it_leaves_passes_check(tmp_path: Path) -> None:
    from drills.checks import check_workspace
    from drills.demo.workspace import write

    folder = write()
    try:
        assert [str(mistake) for mistake in check_workspace(folder, {}).mistakes] == []
    finally:
        shutil.rmtree(folder)
