"""The whole store as JSON lines, to go from one database to another, and back.

The first line is a header, then `{"table", "row"}` for each row, and a last line that counts them, so that half a file
is known as such. Instants are ISO 8601 in UTC, bytes are base64. Of tokens there are only hashes.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, LargeBinary, Table, func, insert, select, text

from incident.errors import Refused
from incident.store.migrate import newest, revision
from incident.store.tables import metadata
from incident.store.types import UtcDateTime

FORMAT = 1
_AT_ONCE = 500  # rows
_LONGEST_LINE = 64 << 20


def exported(connection: Connection, now: datetime) -> Iterator[str]:
    """The lines, as of one moment. Raises Refused where the tables are not those of this version."""
    found = revision(connection)
    if found != newest():
        raise Refused(
            f"the tables have the revision {found}, and this version works with {newest()}: run `shopwatch db migrate`"
        )
    at = now.astimezone(UTC).isoformat()
    yield _line({"shopwatch": "export", "version": FORMAT, "revision": found, "at": at})
    count = 0
    for table in metadata.sorted_tables:
        query = select(table).order_by(*table.primary_key).execution_options(yield_per=_AT_ONCE)
        for row in connection.execute(query):
            yield _line({"table": table.name, "row": {key: _shown(value) for key, value in row._mapping.items()}})
            count += 1
    yield _line({"end": True, "rows": count})


def _line(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":")) + "\n"


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return b64encode(value).decode() if isinstance(value, bytes) else value


def import_into(connection: Connection, lines: Iterable[str]) -> dict[str, int]:
    """Fills empty tables. Returns how many rows each took. Raises Refused: then nothing of the file must be kept."""
    for table in metadata.sorted_tables:
        if connection.execute(select(table).limit(1)).first() is not None:
            raise Refused(f"the database is not empty (there are {table.name}): import into a new one")
    numbered = enumerate(lines, 1)
    _check_header(next(numbered, (1, ""))[1])
    counts: dict[str, int] = {}
    batch: list[dict[str, Any]] = []
    filling: Table | None = None
    for number, line in numbered:
        document = _parsed(number, line)
        if "end" in document:
            _fill(connection, filling, batch)
            _check_end(number, document, sum(counts.values()), next(numbered, None))
            _reset_numbering(connection)
            return counts
        table, row = _row(number, document)
        if filling is not table or len(batch) >= _AT_ONCE:
            _fill(connection, filling, batch)
            filling, batch = table, []
        batch.append(row)
        counts[table.name] = counts.get(table.name, 0) + 1
    raise Refused("the file ends in the middle: its last line, which counts the rows, is missing")


def _check_header(line: str) -> None:
    header = _parsed(1, line) if line else {}
    if header.get("shopwatch") != "export":
        raise Refused("line 1: this is no file of `shopwatch db export`")
    if header.get("version") != FORMAT:
        raise Refused(f"line 1: this version reads the format {FORMAT}, and the file has {header.get('version')!r}")
    if header.get("revision") != newest():
        raise Refused(
            f"line 1: the file is of the revision {header.get('revision')!r}, and this version works with {newest()}: "
            "import it with the Shopwatch that wrote it, then run `shopwatch db migrate` with this one"
        )


def _check_end(number: int, document: Mapping[str, Any], rows: int, following: tuple[int, str] | None) -> None:
    if document.get("rows") != rows:
        raise Refused(f"line {number}: there should be {document.get('rows')} rows, and there are {rows}")
    if following is not None:
        raise Refused(f"line {following[0]}: something follows the end")


def _parsed(number: int, line: str) -> dict[str, Any]:
    try:
        if len(line) > _LONGEST_LINE:
            raise ValueError("too long")
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise Refused(f"line {number}: this is no JSON object: the file is damaged, or ends in the middle") from None
    if not isinstance(document, dict):
        raise Refused(f"line {number}: this is no JSON object")
    return document


def _row(number: int, document: Mapping[str, Any]) -> tuple[Table, dict[str, Any]]:
    table = metadata.tables.get(str(document.get("table")))
    row = document.get("row")
    if table is None or not isinstance(row, dict):
        raise Refused(f"line {number}: this is no row of a table that this version knows")
    if set(row) != set(table.c.keys()):
        odd = ", ".join(sorted(set(row) ^ set(table.c.keys())))
        raise Refused(f"line {number}: the columns are not those of {table.name}: {odd}")
    try:
        return table, {name: _READ.get(type(table.c[name].type), _as_is)(value) for name, value in row.items()}
    except (ValueError, TypeError) as error:
        raise Refused(f"line {number}: {error}") from None


def _as_is(value: Any) -> Any:
    return value


def _instant(value: Any) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _bytes(value: Any) -> bytes | None:
    return None if value is None else b64decode(value, validate=True)


_READ: dict[type, Callable[[Any], Any]] = {UtcDateTime: _instant, LargeBinary: _bytes}


def _fill(connection: Connection, table: Table | None, rows: list[dict[str, Any]]) -> None:
    if table is not None and rows:
        connection.execute(insert(table), rows)


def _reset_numbering(connection: Connection) -> None:
    """PostgreSQL counts apart from the rows; SQLite goes on from the highest."""
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        column = _counted(table)
        if column is not None:
            highest = connection.execute(select(func.max(column))).scalar()
            asked = text("SELECT setval(pg_get_serial_sequence(:name, :column), :value, :used)")
            named = {"name": table.name, "column": column.name}
            connection.execute(asked, {**named, "value": highest or 1, "used": highest is not None})


def _counted(table: Table) -> Column[Any] | None:
    found = table.autoincrement_column
    return found if found is not None and isinstance(found.type, Integer) else None
