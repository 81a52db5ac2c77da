"""From addresses to a connected socket: every address gets its chance, the next one 250 ms after the one before it
(RFC 8305), so that a dead IPv6 route costs a quarter of a second and not the whole deadline."""

import asyncio
import errno
import os
import socket
from collections.abc import Sequence

from probes.http.errors import TransportError
from probes.result import Reason

_STAGGER = 0.25
_OUR_OWN = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}  # no fault of the target


async def open_socket(host: str, addresses: Sequence[str], port: int) -> tuple[socket.socket, str]:
    """A connected, non-blocking socket and the address at its other end.

    Raises TransportError (connect) when no address takes the connection.
    """
    if len(addresses) == 1:
        try:
            return await _connect(addresses[0], port), addresses[0]
        except OSError as error:
            raise _refused(host, port, [(addresses[0], error)]) from error
    return await _race(host, _interleaved(addresses), port)


async def _connect(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = opened.connect_ex((address, port))
        if code == errno.EINPROGRESS:
            await _writable(opened)
            code = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
    except BaseException:
        opened.close()
        raise
    return opened


async def _writable(opened: socket.socket) -> None:
    loop, descriptor = asyncio.get_running_loop(), opened.fileno()
    ready = loop.create_future()
    loop.add_writer(descriptor, _set, ready)
    try:
        await ready
    finally:
        loop.remove_writer(descriptor)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _interleaved(addresses: Sequence[str]) -> list[str]:
    """Alternates between the families, so that the second attempt is not one more over a dead route."""
    first = [address for address in addresses if (":" in address) == (":" in addresses[0])]
    other = [address for address in addresses if address not in first]
    mixed = []
    for at in range(max(len(first), len(other))):
        mixed += first[at : at + 1] + other[at : at + 1]
    return mixed


async def _race(host: str, addresses: Sequence[str], port: int) -> tuple[socket.socket, str]:
    waiting = list(addresses)
    attempts: dict[asyncio.Task[socket.socket], str] = {}
    failures: list[tuple[str, OSError]] = []
    try:
        while waiting or attempts:
            if waiting:
                address = waiting.pop(0)
                attempts[asyncio.create_task(_connect(address, port))] = address
            done, _ = await asyncio.wait(
                attempts, timeout=_STAGGER if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for attempt in done:
                error = attempt.exception()
                if error is None:
                    return attempt.result(), attempts.pop(attempt)
                if not isinstance(error, OSError):
                    raise error
                failures.append((attempts.pop(attempt), error))
    finally:
        await _abandon(attempts)
    raise _refused(host, port, failures)


async def _abandon(attempts: dict[asyncio.Task[socket.socket], str]) -> None:
    for attempt in attempts:
        attempt.cancel()
    for outcome in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(outcome, socket.socket):
            outcome.close()


def _refused(host: str, port: int, failures: Sequence[tuple[str, OSError]]) -> TransportError:
    ours = next((error for _, error in failures if error.errno in _OUR_OWN), None)
    if ours is not None:
        return TransportError(Reason.PROBER, f"this machine cannot open a connection: {ours.strerror}")
    if [address for address, _ in failures] == [host]:
        return TransportError(Reason.CONNECT, f"{host} port {port}: {failures[0][1].strerror}")
    tried = ", ".join(f"{address}: {error.strerror}" for address, error in failures)
    return TransportError(Reason.CONNECT, f"{host} port {port}: no address takes the connection ({tried})")
