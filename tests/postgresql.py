"""A PostgreSQL server of the tests' own: in a temporary folder, on a Unix socket, gone when they are."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # nobody pulls this plug
_SMALL = ("shared_buffers=32MB", "max_connections=60", "listen_addresses=", "autovacuum=off", "max_wal_size=256MB")
_TIGHT = ("min_wal_size=2MB", "max_wal_size=4MB")


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if found:
        return found[-1]
    initdb = shutil.which("initdb")
    assert initdb, "this machine has no postgresql"
    return Path(initdb).parent


class Server:
    """`durable`: commits are synced as in earnest, for tests that kill it. `disk`: where its data lie, if not beside.

    On a disk of its own it writes its log in advance by the megabyte, and keeps little of it.
    """

    def __init__(self, durable: bool = False, disk: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="shopwatch-pg-"))
        self.data = (disk or self.folder) / "data"
        self._settings = (_SMALL if durable else _SMALL + _QUICK) + (_TIGHT if disk else ())
        self._who = _account()
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        if self._who is not None:
            os.chown(self.folder, self._who.pw_uid, self._who.pw_gid)
            os.chown(self.data.parent, self._who.pw_uid, self._who.pw_gid)
        options = ["-U", "shopwatch", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        options += ["--wal-segsize", "1"] if disk else []
        self._spawn("initdb", "-D", str(self.data), *options).wait(100)

    def _spawn(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        who = {} if self._who is None else {"user": self._who.pw_uid, "group": self._who.pw_gid, "extra_groups": []}
        with (self.folder / "log").open("ab") as log:
            command = [str(_programs() / program), *arguments]
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **who)  # type: ignore[call-overload,no-any-return]

    def start(self) -> None:
        """Returns once it answers. After `kill` it takes a moment, until what the old one had started is gone."""
        ends = time.monotonic() + 60
        while True:
            self.revive()
            try:
                self._administer("SELECT 1")
                return
            except psycopg.OperationalError:
                assert time.monotonic() < ends, (self.folder / "log").read_text()
                time.sleep(0.02)

    def revive(self) -> None:
        """As a service manager does: begins it anew if it has ended."""
        if self._process is None or self._process.poll() is not None:
            arguments = ["-D", str(self.data), "-k", str(self.folder)]
            arguments += [part for setting in self._settings for part in ("-c", setting)]
            self._process = self._spawn("postgres", *arguments)

    def stop(self) -> None:
        """In good order, but without waiting for those who are connected."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: int) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(60)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """It waits long for connections: this machine may stand still."""
        return f"postgresql://shopwatch@/{database}?connect_timeout=60&host={self.folder}"

    def create(self, template: str = "template0") -> str:
        """A new database's name."""
        name = f"shop{next(self._numbers)}"
        self._administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, database: str) -> None:
        self._administer(f"DROP DATABASE {database} WITH (FORCE)")

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


def _account() -> pwd.struct_passwd | None:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return None
    known = {one.pw_name: one for one in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


@contextmanager
def serving(durable: bool = False, disk: Path | None = None) -> Iterator[Server]:
    server = Server(durable, disk)
    try:
        server.start()
        yield server
    finally:
        server.remove()
