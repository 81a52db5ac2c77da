"""The one thread that writes. Jobs that wait together share one transaction, and so one fsync (group commit)."""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from incident.errors import IncidentError, Refused, StoreFull, StoreUnavailable
from incident.store.health import Health

T = TypeVar("T")
_MOST = 256  # jobs in one transaction
_TIMES = 4  # that a transaction is tried which lost against another one
_LOST = frozenset({"40001", "40P01"})  # SQLSTATE: serialisation failure, deadlock
_OWN = (DataError, IntegrityError, ProgrammingError)  # the job's own fault, and no sign of the database's health
_FULL = ("database or disk is full", "disk i/o error", "no space left", "could not extend file")


def translated(error: DBAPIError) -> IncidentError:
    """What a failed statement means to whoever asked.

    A full disk makes SQLite roll back on its own, and failing to do so again hides the first: all are looked at.
    """
    for cause in _chain(error):
        words = str(cause.orig if isinstance(cause, DBAPIError) else cause)
        if any(sign in words.lower() for sign in _FULL):
            return StoreFull(f"the database's disk has no room: {words}")
    if isinstance(error, DataError | IntegrityError):  # a number too large, a text too long
        return Refused(f"the database cannot hold this: {_first_line(error)}")
    return StoreUnavailable(f"the database does not work: {_first_line(error)}")


def _first_line(error: DBAPIError) -> str:
    return (str(error.orig).strip().splitlines() or [type(error).__name__])[0]


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__context__


class _Job:
    def __init__(self, run: Callable[[Connection], Any]) -> None:
        self.run = run
        self.future: Future[Any] = Future()
        self.value: Any = None
        self.error: BaseException | None = None

    def settle(self, error: BaseException | None = None) -> None:
        failed = self.error or error
        if failed is not None:
            self.future.set_exception(failed)
        else:
            self.future.set_result(self.value)


class Writer:
    """Runs jobs in the order in which they were handed in, each all or nothing; answers after the commit."""

    def __init__(self, engine: Engine, health: Health, try_out: Callable[[Connection], None]) -> None:
        """`try_out` changes something of no importance; it raises where that fails."""
        self._engine = engine
        self._health = health
        self._try_out = try_out
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    def submit(self, run: Callable[[Connection], T]) -> "Future[T]":
        """The future holds the job's value once it is on disk, or the job's own error, or StoreFull or the like."""
        job = _Job(run)
        self._jobs.put(job)
        return job.future

    def close(self) -> None:
        """After the jobs that are waiting."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            group = [job]
            last = False
            while len(group) < _MOST:
                try:
                    following = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                group.append(following)
            self._commit([job for job in group if job.future.set_running_or_notify_cancel()])
            if last:
                return

    def _commit(self, group: list[_Job]) -> None:
        error: BaseException | None = None
        try:
            self._transact(group)
        except DBAPIError as failed:
            error = told = translated(failed)
            if not isinstance(failed, _OWN):
                self._health.failed(told)
        except Exception as failed:  # noqa: BLE001 - handed to those who wait; the thread must live on
            error = failed
        for job in group:
            job.settle(error)
        if error is None and self._health.worth_trying():
            self._look_whether_it_works_again()

    def _transact(self, group: list[_Job]) -> None:
        """Where nothing can have been kept, tries again: after losing to another, or before anything was asked."""
        for left in reversed(range(_TIMES)):
            begun = False
            try:
                with self._engine.begin() as connection:
                    begun = True
                    _run(group, connection)
                return
            except DBAPIError as failed:
                stale = failed.connection_invalidated and not begun  # the server was started anew meanwhile
                if not left or not (stale or getattr(failed.orig, "sqlstate", None) in _LOST):
                    raise

    def _look_whether_it_works_again(self) -> None:
        try:
            with self._engine.begin() as connection:
                self._try_out(connection)
        except DBAPIError as failed:
            self._health.failed(translated(failed))
        except IncidentError as failed:
            self._health.failed(failed)
        else:
            self._health.well()


def _run(group: list[_Job], connection: Connection) -> None:
    if len(group) == 1:  # alone, it needs no savepoint: if it fails, there is nothing else to keep
        [job] = group
        job.value = job.run(connection)
        return
    for job in group:
        _attempt(job, connection)


def _attempt(job: _Job, connection: Connection) -> None:
    """Runs one job in a savepoint. Where the database itself fails, the group ends: SQLite may have rolled back."""
    job.error = None
    try:
        with connection.begin_nested():
            job.value = job.run(connection)
    except DBAPIError as error:
        if error.connection_invalidated or not isinstance(error, _OWN):
            raise
        job.error = translated(error)  # the savepoint has kept the others
    except Exception as error:  # noqa: BLE001 - it belongs to whoever handed the job in
        job.error = error
