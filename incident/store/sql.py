"""Small helpers over SQLAlchemy Core that read the same on SQLite and PostgreSQL."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Insert, Table, Update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

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


class Many:
    """One statement for many rows at a time, without what SQLAlchemy does for each: a third of the time.

    `make` is given the dialect's name. Values are turned into the database's own by their columns' types, as ever.
    """

    def __init__(self, make: Callable[[str], Insert | Update]) -> None:
        self._make = make
        self._made: dict[str, tuple[str, Callable[[Sequence[Mapping[str, Any]]], list[Any]]]] = {}

    def __call__(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """All rows have the same keys: the statement's parameters."""
        if not rows:
            return
        name = connection.dialect.name
        if name not in self._made:
            self._made[name] = _compiled(self._make(name), connection.dialect, sorted(rows[0]))
        text, written = self._made[name]
        connection.exec_driver_sql(text, written(rows))


def _compiled(
    statement: Insert | Update, dialect: Dialect, names: list[str]
) -> tuple[str, Callable[[Sequence[Mapping[str, Any]]], list[Any]]]:
    """The text of the statement, and what makes its driver's parameters of rows."""
    compiled = statement.compile(dialect=dialect, column_keys=names)
    writers = [
        (name, writer)
        for name, bound in compiled.binds.items()
        if (writer := bound.type.dialect_impl(dialect).bind_processor(dialect)) is not None
    ]
    order = compiled.positiontup

    def written(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        made = [dict(row) for row in rows]
        for name, write in writers:
            for row in made:
                row[name] = write(row[name])
        return made if order is None else list(map(itemgetter(*order), made))

    return str(compiled), written


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts the rows, passing over those whose primary key is there."""
    if not rows:
        return
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(make(table).on_conflict_do_nothing(), list(rows))


def chunks(items: Sequence[Any], size: int = IN_MOST) -> list[Sequence[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
