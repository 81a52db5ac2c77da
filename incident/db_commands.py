"""`shopwatch db`: the database itself. These need no daemon, and some must not have one."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from probes.terminal import NOT_WELL, REFUSED, USAGE, clean, emit_json, fail, json_option, workspace_dir

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")
database_option = click.option(
    "--database", metavar="URL", help="SQLAlchemy's. Default: SQLite in the workspace's .shopwatch/."
)


@click.group()
def db() -> None:
    """Look after the database: bring it up to date, copy it, move it between SQLite and PostgreSQL.

    \b
    Example:
      shopwatch db backup /backups/shopwatch-monday.db
    """


@contextmanager
def _failing_plainly() -> Iterator[None]:
    from incident.errors import IncidentError, NotFound, Refused
    from probes.errors import ProbesError

    try:
        yield
    except (IncidentError, ProbesError, OSError) as error:
        fail(str(error), REFUSED if isinstance(error, Refused | NotFound) else USAGE)


def _url(database: str | None) -> str:
    from incident.store.database import sqlite_url

    return database or sqlite_url(workspace_dir() / ".shopwatch" / "shopwatch.db")


def _owning(url: str, job: "Callable[[Connection], T]") -> tuple[T, tuple[str | None, str]]:
    """What the job gives, and the revisions that the tables had and have. An SQLite file must have no daemon."""
    from incident.store.database import Database

    database = Database(url)
    database.open()
    try:
        return database.write_now(job), database.revisions
    finally:
        database.close()


@db.command()
@database_option
@json_option
def migrate(database: str | None, as_json: bool) -> None:
    """Bring the tables up to date. `shopwatch run` does so too; on a large database this tells beforehand.

    Refuses a database of a newer Shopwatch, and an SQLite file that a daemon holds.

    \b
    Example:
      shopwatch db migrate --database postgresql://shopwatch@db.example/shopwatch
    """
    with _failing_plainly():
        _, (before, after) = _owning(_url(database), lambda connection: None)
    if as_json:
        emit_json({"from": before, "to": after})
    elif before == after:
        click.echo(f"The tables are at the newest revision, {after}.")
    else:
        click.echo(f"From {'nothing' if before is None else f'revision {before}'} to revision {after}.")


@db.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@database_option
def export(file: Path | None, database: str | None) -> None:
    """Write everything to a file of JSON lines, or to standard output, as of one moment; a daemon may go on meanwhile.

    It holds no secrets: of tokens there are only hashes.

    \b
    Example:
      shopwatch db export shopwatch.jsonl
      shopwatch db import shopwatch.jsonl --database postgresql://shopwatch@db.example/shopwatch
    """
    from datetime import UTC, datetime

    from incident.store.copying import looking_into
    from incident.store.transfer import exported

    with _failing_plainly(), looking_into(_url(database)) as connection:
        lines = exported(connection, datetime.now(UTC))
        if file is None or str(file) == "-":
            sys.stdout.writelines(lines)
        else:
            _write_whole(file, lines)
            click.echo(f"Written to {clean(str(file))}.", err=True)


def _write_whole(file: Path, lines: Iterator[str]) -> None:
    """All of it or nothing, for its owner alone."""
    half = file.with_name(f".{file.name}.half")
    try:
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            out.writelines(lines)
            out.flush()
            os.fsync(out.fileno())
        half.replace(file)
    finally:
        half.unlink(missing_ok=True)


@db.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@database_option
@json_option
def import_(file: Any, database: str | None, as_json: bool) -> None:
    """Fill an empty database from a file of `db export`: all of it or, where anything is wrong with it, nothing.

    \b
    Example:
      shopwatch db import shopwatch.jsonl --database postgresql://shopwatch@db.example/shopwatch
    """
    from incident.store.transfer import import_into

    with _failing_plainly():
        counts, _ = _owning(_url(database), lambda connection: import_into(connection, file))
    if as_json:
        emit_json(counts)
    else:
        click.echo(f"{sum(counts.values())} rows in {len(counts)} tables.")


@db.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@database_option
def backup(file: Path, database: str | None) -> None:
    """Copy the SQLite database as of one moment, while a daemon runs on it. To restore: put the copy in its place.

    \b
    Example:
      shopwatch db backup /backups/shopwatch-monday.db
    """
    from incident.store.copying import back_up
    from incident.store.engines import address, is_sqlite

    with _failing_plainly():
        url = address(_url(database))
    if not is_sqlite(url):
        fail("this copies SQLite files: for PostgreSQL use pg_dump, or `shopwatch db export`")
    with _failing_plainly():
        size = back_up(Path(url.database or ""), file)
    click.echo(f"{clean(str(file))}: {size / 1e6:.1f} MB.")


@db.command("check")
@click.option("--rebuild", is_flag=True, help="First make the list of incidents anew from their record.")
@database_option
@json_option
def check(rebuild: bool, database: str | None, as_json: bool) -> None:
    """See whether the database is whole, and whether what is listed agrees with the record. 1 where it does not.

    \b
    Example:
      shopwatch db check
      shopwatch db check --rebuild
    """
    from incident.store import incidents
    from incident.store.copying import looking_into, problems

    with _failing_plainly():
        url = _url(database)
        if rebuild:
            _owning(url, incidents.rebuild)
        with looking_into(url) as connection:
            found = list(problems(connection))
    if as_json:
        emit_json(found)
    else:
        click.echo("\n".join(map(clean, found)) or "The database is well.")
    if found:
        sys.exit(NOT_WELL)
