"""Opening the database: engines, migrations, one writer, several readers."""

import asyncio
import fcntl
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from incident.errors import StoreUnavailable
from incident.store.writer import Writer, translated

T = TypeVar("T")
_READERS = 4


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


class Database:
    """`url` is SQLAlchemy's. Nothing happens before `open`. An SQLite file belongs to one process at a time."""

    def __init__(self, url: str) -> None:
        try:
            self.url = make_url(url)
        except (ArgumentError, ValueError):  # the text of these may hold the password
            raise StoreUnavailable(
                "the database's address is no SQLAlchemy URL such as sqlite:////path/to/file.db"
            ) from None
        if self.url.drivername in ("postgresql", "postgres"):
            self.url = self.url.set(drivername="postgresql+psycopg")
        self._path = Path(self.url.database) if self._sqlite and self.url.database else None
        self._lock: IO[Any] | None = None
        self._engines: list[Engine] = []
        self._writer: Writer | None = None
        self._readers: ThreadPoolExecutor | None = None

    def _create_engine(self, **options: Any) -> Engine:
        try:
            return create_engine(self.url, **options)
        except (ArgumentError, ImportError):
            shown = self.url.drivername
            raise StoreUnavailable(
                f"no driver for {shown!r} is installed here: use sqlite:// or postgresql://"
            ) from None

    @property
    def _sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    def open(self) -> None:
        """Creates or migrates the tables. Raises StoreUnavailable when another process holds the file."""
        from incident.store.migrate import migrate

        if self._sqlite:
            self._own_file()
        write, read = self._engine("BEGIN IMMEDIATE"), self._engine("BEGIN")
        self._engines = [write, read]
        try:
            migrate(write)
        except DBAPIError as error:
            self.close()
            raise translated(error) from error
        self._writer = Writer(write)
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

    def _engine(self, begin: str) -> Engine:
        if not self._sqlite:
            return self._create_engine(pool_pre_ping=True)
        engine = self._create_engine(connect_args={"timeout": 10})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    def close(self) -> None:
        """Waits for what is being written."""
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
        if self._writer is None:
            raise StoreUnavailable("the database is closed")
        return await asyncio.wrap_future(self._writer.submit(job))

    async def read(self, job: Callable[[Connection], T]) -> T:
        """The job's value, as of one moment. Raises StoreUnavailable."""
        if self._readers is None:
            raise StoreUnavailable("the database is closed")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, job)

    def _read(self, job: Callable[[Connection], T]) -> T:
        try:
            with self._engines[1].begin() as connection:
                return job(connection)
        except DBAPIError as error:
            raise translated(error) from error


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin and commit on its own: savepoints would break
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
