"""Statements for thousands of rows at a time. They are SQLAlchemy's; what it does for each row is left out.

Values go through their columns' types, a whole column at a time.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Insert, Select, Text, Update, bindparam, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

Columns = list[Any]  # of values
Readers = list[tuple[int, Any]]  # by place of a column: what makes Python's value of the database's
Parameters = Callable[[Mapping[str, Any]], Any]  # what makes the driver's parameters of values by name


class Many:
    """One statement for many rows at a time, without what SQLAlchemy does for each: a fraction of the time.

    `make` is given the dialect's name; `names` are the statement's parameters, in the order of the rows' values. Values
    are turned into the database's own by their columns' types, as ever.
    """

    def __init__(self, make: Callable[[str], Insert | Update], names: Sequence[str]) -> None:
        self._make = make
        self._names = tuple(names)
        self._made: dict[str, tuple[str, Callable[[Columns], Any]]] = {}

    def __call__(self, connection: Connection, rows: Iterable[Sequence[Any]]) -> None:
        columns: Columns = list(zip(*rows, strict=True))
        if not columns:
            return
        name = connection.dialect.name
        if name not in self._made:
            self._made[name] = self._compiled(self._make(name), connection.dialect)
        text, written = self._made[name]
        connection.exec_driver_sql(text, written(columns))

    def _compiled(self, statement: Insert | Update, dialect: Dialect) -> tuple[str, Callable[[Columns], Any]]:
        """The text of the statement, and what makes its driver's parameters of columns of values."""
        compiled = statement.compile(dialect=dialect, column_keys=sorted(self._names))
        names = self._names
        writers = [
            (names.index(name), writer)
            for name, bound in compiled.binds.items()
            if (writer := bound.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        ]
        order = compiled.positiontup

        def written(columns: Columns) -> Any:
            for place, write in writers:
                columns[place] = list(map(write, columns[place]))
            if order is None:
                return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
            return list(zip(*(columns[names.index(name)] for name in order), strict=True))

        return str(compiled), written


class Rows:
    """One query for many rows, which come as plain tuples, for a fraction of the time that SQLAlchemy needs for them.

    `make` is given the dialect's name. Values are read by their columns' types, as ever.
    """

    def __init__(self, make: Callable[[str], Select[Any]]) -> None:
        self._make = make
        self._made: dict[str, tuple[str, Parameters, Readers]] = {}

    def __call__(self, connection: Connection, **values: Any) -> list[tuple[Any, ...]]:
        dialect = connection.dialect
        if dialect.name not in self._made:
            self._made[dialect.name] = self._compiled(self._make(dialect.name), dialect)
        text, parameters, readers = self._made[dialect.name]
        with connection.exec_driver_sql(text, parameters(values)) as result:
            columns = [] if result.cursor is None else list(zip(*result.cursor.fetchall(), strict=True))
        if not columns:
            return []
        for place, read in readers:
            columns[place] = tuple(map(read, columns[place]))
        return list(zip(*columns, strict=True))

    def _compiled(self, query: Select[Any], dialect: Dialect) -> tuple[str, Parameters, Readers]:
        compiled = query.compile(dialect=dialect)
        readers = [
            (place, reader)
            for place, column in enumerate(query.selected_columns)
            if (reader := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        ]
        writers = {
            name: bound.type.dialect_impl(dialect).bind_processor(dialect) for name, bound in compiled.binds.items()
        }
        fixed, order = compiled.params, compiled.positiontup

        def parameters(values: Mapping[str, Any]) -> Any:
            whole = {name: values.get(name, fixed[name]) for name in fixed}
            made = {name: value if (write := writers[name]) is None else write(value) for name, value in whole.items()}
            return made if order is None else tuple(made[name] for name in order)

        return str(compiled), parameters, readers


def among(dialect: str, column: ColumnElement[Any], name: str = "keys") -> ColumnElement[bool]:
    """That the column's text is one of the texts in the parameter `name` (see `texts`), however many those are."""
    if dialect == "postgresql":
        return column == func.any(bindparam(name, type_=postgresql.ARRAY(Text)))
    each = func.json_each(bindparam(name, type_=Text)).table_valued("value")
    return column.in_(select(each.c.value))


def texts(dialect: str, values: Iterable[str]) -> Any:
    """The value of such a parameter."""
    return list(values) if dialect == "postgresql" else json.dumps(list(values))
