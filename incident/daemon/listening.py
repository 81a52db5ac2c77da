"""The daemon's claim on its address and its workspace, and the token file by which commands find their way in."""

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from incident.client import token_file
from incident.errors import IncidentError

log = structlog.get_logger("daemon")
_ANY = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "localhost": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up


class CannotListen(IncidentError):
    """The address or the port is not to be had; the text says why and what to do."""


class CannotKeep(IncidentError):
    """The workspace's `.shopwatch/` cannot be written to."""


class AlreadyRunning(IncidentError):
    """Another daemon holds this workspace."""


def reachable_host(host: str) -> str:
    """The address at which this machine's own programs reach a daemon that listens on `host`."""
    return _ANY.get(host, host)


def url_of(host: str, port: int) -> str:
    near = reachable_host(host)
    return f"http://[{near}]:{port}" if ":" in near else f"http://{near}:{port}"


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises CannotListen."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        sock = socket.create_server(address[:2], family=family, backlog=2048)
        # Accepted sockets inherit it. asyncio sets it only where the protocol is named, and without it each answer that
        # is written in two parts waits 40 ms for the other side's delayed acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    except socket.gaierror as error:
        raise CannotListen(f"listen.host {host!r} is no address of this machine: {error.strerror}") from None
    except OSError as error:
        raise CannotListen(_why(error, host, port)) from None


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is in use, perhaps by another Shopwatch: stop that, or choose another with --port"
        )
    if error.errno == errno.EACCES:
        return f"port {port} is not for this account: choose one from 1024 up with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"listen.host {host} is no address of this machine"
    return f"cannot listen on {host}:{port}: {error.strerror}"


@contextmanager
def sole_daemon(state: Path) -> Iterator[Path]:
    """Holds the workspace whose `.shopwatch/` is `state`; gives the lock file, to be told the URL with `announce`.

    Raises AlreadyRunning and CannotKeep. The lock goes with the process, however that ends.
    """
    path = state / "daemon.lock"
    try:
        lock = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise CannotKeep(f"{state} cannot be written to: {error.strerror}") from None
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(_who(path, state)) from None
        try:
            yield path
        finally:
            file.truncate(0)


def announce(lock: Path, url: str) -> None:
    lock.write_text(json.dumps({"pid": os.getpid(), "url": url}), encoding="utf-8")


def _who(path: Path, state: Path) -> str:
    with suppress(OSError, ValueError, KeyError):
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"Shopwatch is already running on {state.parent}: {holder['url']}, process {holder['pid']}"
    return f"another Shopwatch is just starting on {state.parent}"


@contextmanager
def left_token(host: str, port: int, secret: str) -> Iterator[Path]:
    """The token file of this account for a daemon at that address, for as long as the daemon lives.

    Where it cannot be written, the commands need a token of their own, and the log says so.
    """
    path = token_file(reachable_host(host), port)
    try:
        _write_private(path, secret)
    except OSError as error:
        log.warning("no token file: commands need $SHOPWATCH_TOKEN", path=str(path), why=error.strerror)
    try:
        yield path
    finally:
        with suppress(OSError):
            if path.read_text(encoding="ascii") == secret:
                path.unlink()


def _write_private(path: Path, text: str) -> None:
    """All at once, and for the owner alone from the first byte."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    fresh.replace(path)
