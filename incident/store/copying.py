"""Copies and checks of a database that may be in use."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from incident.core.folding import fold
from incident.errors import NotFound, Refused, StoreUnavailable
from incident.store.engines import address, is_sqlite, reading
from incident.store.incidents import find, timeline
from incident.store.tables import events, incidents
from incident.store.writer import translated


@contextmanager
def looking_into(url: str) -> Iterator[Connection]:
    """A transaction that only reads, beside whatever runs. Raises NotFound for a file that is not there."""
    where = address(url)
    if is_sqlite(where) and not Path(where.database or "").is_file():
        raise NotFound(f"there is no database {where.database}")
    engine = reading(where)
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise translated(error) from error
    finally:
        engine.dispose()


def back_up(source: Path, target: Path) -> int:
    """Copies an SQLite database as of one moment, while it is in use. Returns the copy's size in bytes.

    Raises NotFound, Refused, or StoreUnavailable where the copy cannot be made; nothing half-made is left.
    """
    if not source.is_file():
        raise NotFound(f"there is no database {source}")
    if target.exists():
        raise Refused(f"{target} is there already: choose another name")
    half = target.with_name(f".{target.name}.half")
    try:
        half.touch(mode=0o600)
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as have,
            closing(sqlite3.connect(half)) as copy,
        ):
            copy.execute("PRAGMA synchronous=FULL")
            have.backup(copy)
            [answer] = copy.execute("PRAGMA quick_check").fetchone()
        if answer != "ok":
            raise StoreUnavailable(f"the copy is damaged, and so is the database: {answer}")
        half.rename(target)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"{target} cannot be written: {error}") from error
    finally:
        half.unlink(missing_ok=True)
    return target.stat().st_size


def problems(connection: Connection) -> Iterator[str]:
    """What is wrong with the database: a line each."""
    if connection.dialect.name == "sqlite":
        for answer in connection.exec_driver_sql("PRAGMA integrity_check").scalars():
            if answer != "ok":
                yield f"the file is damaged: {answer}"
    recorded = set(connection.execute(select(events.c.incident).distinct()).scalars())
    cached = set(connection.execute(select(incidents.c.number)).scalars())
    for number in sorted(recorded | cached):
        if number not in recorded:
            yield f"#{number} is listed, and has no record"
        elif number not in cached:
            yield f"#{number} has a record, and is not listed"
        else:
            yield from _of_incident(connection, number)


def _of_incident(connection: Connection, number: int) -> Iterator[str]:
    record = timeline(connection, number)
    if [event.seq for event in record] != list(range(1, len(record) + 1)):
        yield f"#{number}: its events are not numbered without a gap"
        return
    try:
        if fold(record) != find(connection, number):
            yield f"#{number} is listed otherwise than its record says"
    except (ValueError, KeyError, TypeError) as error:
        yield f"#{number} cannot be read: {type(error).__name__}: {error}"
