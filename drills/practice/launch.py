"""Starts practice services in processes of their own, for the demo, for tests and for `shopwatch practice`."""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from drills.errors import DrillsError
from drills.practice.calling import Answer, CallFailed, call
from drills.practice.serving import bind
from drills.practice.switch_api import PATH

SHOP = ("shop", "psp", "carrier")
READY_WITHIN = 20.0  # seconds; a loaded machine is slow to start
STOPS_WITHIN = 0.4  # seconds, before a process is killed: what it keeps is in memory, so nothing more is lost
DEFAULT_PASSWORD = "practice"  # noqa: S105 - the practice customers', in plain sight


class PracticeFailed(DrillsError):
    """A practice service did not start, or did not take a switch."""

    permanent = False


class Practice:
    """`async with Practice() as practice:` the shop with its payment provider and its carrier (and Slack, if asked).

    `ports` fixes the port of a service; others get a free one. `password` is every customer's, `pace` stretches the
    carrier's times; both are else taken from $PRACTICE_PASSWORD and $PRACTICE_PACE. `urls` maps services to their
    addresses, without a slash at the end; `token` is for the switches. `environment` is added to that of the
    processes. The processes end with this one, however it ends.
    """

    def __init__(
        self,
        services: Sequence[str] = SHOP,
        *,
        ports: Mapping[str, int] | None = None,
        password: str | None = None,
        pace: float | None = None,
        token: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.services = tuple(services)
        self.ports = dict(ports or {})
        self.token = token or secrets.token_urlsafe(24)
        self.password = password or os.environ.get("PRACTICE_PASSWORD") or DEFAULT_PASSWORD
        self.urls: dict[str, str] = {}
        self._shared = secrets.token_urlsafe(24)  # between the services
        self._environment = {"PRACTICE_PASSWORD": self.password, **(environment or {})}
        if pace is not None:
            self._environment["PRACTICE_PACE"] = str(pace)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    async def __aenter__(self) -> Self:
        """Raises PortInUse, PracticeFailed; then nothing is left running."""
        sockets: dict[str, socket.socket] = {}
        try:
            for service in self.services:
                sockets[service] = bind(self.ports.get(service, 0))
                self.urls[service] = f"http://127.0.0.1:{sockets[service].getsockname()[1]}"
            for service, sock in sockets.items():
                self._processes[service] = self._start(service, sock)
                sock.close()
            await asyncio.gather(*(self._wait_ready(service) for service in self.services))
        except BaseException:
            for sock in sockets.values():
                sock.close()
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _start(self, service: str, sock: socket.socket) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            **{f"PRACTICE_{name.upper()}_URL": url for name, url in self.urls.items()},
            "PRACTICE_TOKEN": self.token,
            "PRACTICE_KEY": f"key-{self._shared}",
            "PRACTICE_SECRET": f"secret-{self._shared}",
            **self._environment,
        }
        command = [sys.executable, "-P", "-m", "drills.practice", service]
        return subprocess.Popen(
            [*command, "--fd", str(sock.fileno()), "--supervised"],
            stdin=subprocess.PIPE,
            env=environment,
            pass_fds=[sock.fileno()],
            start_new_session=True,  # Ctrl-C is for the launcher, which stops them in order
        )

    async def _wait_ready(self, service: str) -> None:
        deadline = asyncio.get_running_loop().time() + READY_WITHIN
        while True:
            code = self._processes[service].poll()
            if code is not None:
                raise PracticeFailed(f"the practice {service} ended while starting (exit code {code})")
            remaining = deadline - asyncio.get_running_loop().time()
            if remaining <= 0:
                raise PracticeFailed(f"the practice {service} was not ready within {READY_WITHIN:g} s")
            try:
                await call("GET", f"{self.urls[service]}/-/ready", timeout=remaining)
                return
            except CallFailed:
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Ends every process, within half a second; those that do not go by themselves are killed."""
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        await asyncio.gather(*(asyncio.to_thread(wait_for_end, process) for process in self._processes.values()))
        self._processes.clear()

    async def switch(self, name: str, value: object, lease: float | str | None = None) -> None:
        """Sets a switch (see `drills.practice.switches`); `False` takes it out. Raises PracticeFailed."""
        await set_switch(self.urls["shop"], self.token, name, value, lease)

    async def orders(self) -> list[dict[str, Any]]:
        """All of the shop: `{number, customer, state, run}`, where `run` is None for a shopper's. Raises CallFailed."""
        answer = await call("GET", f"{self.urls['shop']}/_practice/orders", headers=_authorization(self.token))
        orders: list[dict[str, Any]] = _checked(answer)["orders"]
        return orders

    async def clear(self) -> None:
        """Takes every switch out. Raises PracticeFailed."""
        await clear_switches(self.urls["shop"], self.token)


def wait_for_end(process: subprocess.Popen[bytes], within: float = STOPS_WITHIN) -> None:
    """Waits until a process that was told to end has done so; after `within` seconds it is killed."""
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


async def set_switch(url: str, token: str, name: str, value: object, lease: float | str | None = None) -> None:
    """At the practice shop whose address is `url`. Raises PracticeFailed, CallFailed."""
    document = {"name": name, "value": value} | ({} if lease is None else {"lease": lease})
    _checked(await call("PUT", url + PATH, document=document, headers=_authorization(token)))


async def clear_switches(url: str, token: str, name: str | None = None) -> None:
    """All of them, or one. Raises PracticeFailed, CallFailed."""
    query = "" if name is None else f"?name={name}"
    _checked(await call("DELETE", url + PATH + query, headers=_authorization(token)))


async def active_switches(url: str, token: str) -> list[dict[str, Any]]:
    """What is on: `{name, value, since, until}`, instants as Unix times. Raises PracticeFailed, CallFailed."""
    active: list[dict[str, Any]] = _checked(await call("GET", url + PATH, headers=_authorization(token)))["active"]
    return active


def _authorization(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _checked(answer: Answer) -> Any:
    document = answer.json()
    if answer.status != 200:
        raise PracticeFailed(f"the practice shop refused the switch ({answer.status}): {document.get('error')}")
    return document
