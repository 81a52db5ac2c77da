"""Small helpers over SQLAlchemy Core that read the same on SQLite and PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

IN_MOST = 500  # bound parameters in one IN (…)


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts the rows, or replaces those that are there by primary key."""
    if rows:
        connection.execute(upserting(connection.dialect.name, table, rows[0]), list(rows))


def upserting(dialect: str, table: Table, columns: Iterable[str]) -> Insert:
    """The statement for rows that have these columns."""
    statement = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)
    keys = {column.name for column in table.primary_key}
    changed = {name: statement.excluded[name] for name in columns if name not in keys}
    return statement.on_conflict_do_update(index_elements=sorted(keys), set_=changed)


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts the rows, passing over those whose primary key is there."""
    if not rows:
        return
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(make(table).on_conflict_do_nothing(), list(rows))


def chunks(items: Sequence[Any], size: int = IN_MOST) -> list[Sequence[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
