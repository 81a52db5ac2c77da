"""Starting and ending the practice services."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from drills.practice.launch import Practice, PracticeFailed, active_switches
from drills.practice.serving import PortInUse, bind
from tests.drills.practice.shopper import Shopper

pytestmark = pytest.mark.anyio


def alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", trust_env=False, timeout=10).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.by_the_clock
async def test_it_starts_all_and_leaves_nothing_within_a_second() -> None:
    async with Practice() as practice:
        urls = list(practice.urls.values())
        assert all(alive(url) for url in urls)
        await practice.switch("hang", True)  # a request that is never answered must not hold up the end
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(practice.urls["shop"], timeout=0.2, trust_env=False)
        started = time.monotonic()
    assert time.monotonic() - started < 2
    assert not any(alive(url) for url in urls)


async def test_switches_are_set_listed_and_cleared() -> None:
    async with Practice() as practice:
        await practice.switch("psp_delay", "9s", lease="10m")
        [active] = await active_switches(practice.urls["shop"], practice.token)
        assert (active["name"], active["value"]) == ("psp_delay", "9s")
        assert 590 < active["until"] - active["since"] <= 600
        await practice.clear()
        assert await active_switches(practice.urls["shop"], practice.token) == []
        with pytest.raises(PracticeFailed, match="no switch 'psp_slow'"):
            await practice.switch("psp_slow", True)


async def test_a_port_in_use_is_said_plainly() -> None:
    with bind(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port} on 127.0.0.1 is in use"):
            await Practice(ports={"shop": port}).__aenter__()


def test_the_services_end_when_their_starter_is_killed() -> None:
    program = (
        "import asyncio\nfrom drills.practice.launch import Practice\n"
        "async def main():\n    async with Practice() as p:\n"
        "        print(*p.urls.values(), flush=True)\n        await asyncio.sleep(60)\nasyncio.run(main())"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        urls = starter.stdout.readline().split()
        assert len(urls) == 3 and all(alive(url) for url in urls)
        starter.kill()
    deadline = time.monotonic() + 60
    while any(alive(url) for url in urls):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    for first in range(20000 + os.getpid() % 9000, 60000, 10):
        try:
            for port in range(first, first + count):
                bind(port).close()
        except PortInUse:
            continue
        return first
    raise AssertionError("no free ports")


@pytest.mark.by_the_clock
def test_the_command_prints_what_one_needs_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    port = free_ports(4)
    command = [sys.executable, "-c", "from drills.practice.command import practice; practice()", "--slack"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "XDG_STATE_HOME": str(tmp_path)}
    left = tmp_path / "shopwatch" / f"127.0.0.1_{port}.token"
    with subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("Ctrl-C"):
            lines.append(process.stdout.readline())
            assert lines[-1], lines
        assert urlsplit(lines[0].split()[1]).port == port
        assert f"switch token: {left.read_text()}\n" in lines
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert time.monotonic() - started < 2
    assert not alive(f"http://127.0.0.1:{port}")
    assert not left.exists()


def test_the_command_says_that_a_port_is_taken() -> None:
    with bind(0) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-c", "from drills.practice.command import practice; practice()", "--port", port]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "Traceback" not in done.stderr


async def test_the_customers_password_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICE_PASSWORD", "another")
    async with Practice(["shop"]) as practice:
        with httpx.Client(base_url=practice.urls["shop"], trust_env=False) as client:
            assert Shopper(client).sign_in(password="another").url.path == "/orders/"


async def test_a_service_that_does_not_start_is_said_and_nothing_is_left() -> None:
    practice = Practice(environment={"PRACTICE_PACE": "fast"})
    with pytest.raises(PracticeFailed, match="the practice carrier ended while starting"):
        await practice.__aenter__()
    assert not any(alive(url) for url in practice.urls.values())
