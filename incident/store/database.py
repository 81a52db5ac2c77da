"""Opening the database: engines, migrations, one writer, several readers."""

import asyncio
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from incident.errors import IncidentError, StoreFull, StoreUnavailable
from incident.store.engines import BUSY, address, is_sqlite, reading, writing
from incident.store.health import Health
from incident.store.neighbours import Neighbours
from incident.store.writer import Writer, translated

T = TypeVar("T")
_READERS = 4
_LEAST_FREE = 1 << 20  # bytes
_BUSY_EMPTYING = 100  # milliseconds


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


class Database:
    """`url` is SQLAlchemy's. Nothing happens before `open`. An SQLite file belongs to one process at a time."""

    def __init__(self, url: str) -> None:
        self.url = address(url)
        self._path = Path(self.url.database) if self.sole and self.url.database else None
        self.revisions: tuple[str | None, str] = (None, "")  # that the tables had at `open`, and have since
        self._health = Health()
        self._neighbours: Neighbours | None = None
        self._lock: IO[Any] | None = None
        self._engines: list[Engine] = []
        self._writer: Writer | None = None
        self._readers: ThreadPoolExecutor | None = None

    @property
    def sole(self) -> bool:
        """No other process can be at work on this database."""
        return is_sqlite(self.url)

    @property
    def trouble(self) -> IncidentError | None:
        """Why it takes nothing in at present; None where it does."""
        return self._health.trouble

    def open(self) -> None:
        """Creates or migrates the tables. Raises StoreUnavailable when another process holds the file."""
        from incident.store.migrate import migrate

        if self.sole:
            self._own_file()
        try:
            write = writing(self.url)
            self._engines = [write, reading(self.url)]
            with write.begin() as connection:
                self.revisions = migrate(connection)
        except DBAPIError as error:
            self.close()
            raise translated(error) from error
        except StoreUnavailable:
            self.close()
            raise
        self._writer = Writer(write, self._health, self._try_out)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="reader")

    def _own_file(self) -> None:
        if self._path is None:
            raise StoreUnavailable("the database must be a file: write sqlite:////path/to/shopwatch.db")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        self._lock = self._path.with_name(f"{self._path.name}.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            raise StoreUnavailable(f"another Shopwatch is running on {self._path}: stop it first") from None

    def _try_out(self, connection: Connection) -> None:
        """Changes something that nobody reads, to see whether the disk takes it."""
        if self._path is None:
            connection.exec_driver_sql("SELECT pg_current_xact_id()")
            return
        if shutil.disk_usage(self._path.parent).free < _LEAST_FREE:
            raise StoreFull("the database's disk has no room: less than a megabyte is free")
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        connection.exec_driver_sql(f"PRAGMA user_version={(version + 1) % 2**31}")

    def listen(self, heard: Callable[[], None]) -> None:
        """From now on `heard` is called, in another thread, when another process has told of a change."""
        if not self.sole:
            self._neighbours = Neighbours(self.url, heard)
            self._neighbours.start()

    def tell_others(self) -> None:
        """That something has changed which they may want to look at."""
        if self._neighbours is not None:
            self._neighbours.tell()

    def close(self) -> None:
        """Waits for what is being written."""
        neighbours, self._neighbours = self._neighbours, None
        if neighbours is not None:
            neighbours.close()
        writer, self._writer = self._writer, None  # from now on nothing new gets in
        readers, self._readers = self._readers, None
        if writer is not None:
            writer.close()
        if readers is not None:
            readers.shutdown()
        for engine in self._engines:
            engine.dispose()
        self._engines = []
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def write(self, job: Callable[[Connection], T]) -> T:
        """The job's value, once it is on disk. The job may raise: then nothing of it is kept.

        Raises StoreFull or StoreUnavailable. A job that was begun is finished even if the caller is cancelled.
        """
        return await asyncio.wrap_future(self._submitted(job))

    def write_now(self, job: Callable[[Connection], T]) -> T:
        """As `write`, for a command that has no event loop."""
        return self._submitted(job).result()

    def _submitted(self, job: Callable[[Connection], T]) -> "Future[T]":
        if self._writer is None:
            raise StoreUnavailable("the database is closed")
        return self._writer.submit(job)

    async def read(self, job: Callable[[Connection], T]) -> T:
        """The job's value, as of one moment. Raises StoreUnavailable."""
        if self._readers is None:
            raise StoreUnavailable("the database is closed")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, job)

    async def empty_log(self) -> bool:
        """Whether what was overwritten is in no file of SQLite's any more: not while somebody reads an older state.

        Nobody can write meanwhile: it does not wait for long.
        """
        if self.sole and self._readers is not None:
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._empty_log)
        return True

    def _empty_log(self) -> bool:
        try:
            with self._engines[1].connect() as connection:  # without a transaction
                cursor = connection.connection.cursor()
                cursor.execute(f"PRAGMA busy_timeout={_BUSY_EMPTYING}")
                try:
                    [busy, *_] = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                finally:
                    cursor.execute(f"PRAGMA busy_timeout={BUSY}")
                cursor.close()
        except (sqlite3.Error, DBAPIError):
            return False
        return not busy

    def _read(self, job: Callable[[Connection], T]) -> T:
        try:
            with self._engines[1].begin() as connection:
                return job(connection)
        except DBAPIError as error:
            raise translated(error) from error
