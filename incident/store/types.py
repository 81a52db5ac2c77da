"""Column types that mean the same on every database."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import DateTime
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Aware datetimes in, aware UTC datetimes out; SQLite, which drops time zones, keeps naive UTC.

    SQLite has it as text, in the form of SQLAlchemy's own type, which takes several times as long to write and read.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        return _to_text if dialect.name == "sqlite" else _aware

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        return _from_text if dialect.name == "sqlite" else _utc


def _aware(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise ValueError("an instant needs its time zone")
    return value if value is None or value.tzinfo is UTC else value.astimezone(UTC)


def _to_text(value: datetime | None) -> str | None:
    instant = _aware(value)
    return None if instant is None else _written(instant)


@lru_cache(maxsize=1 << 12)  # what comes together shares most of its instants
def _written(instant: datetime) -> str:
    """Of one in UTC: elsewhere two that are an hour apart may be equal, when the clocks go back."""
    return instant.isoformat(" ", "microseconds")[:26]


@lru_cache(maxsize=1 << 12)
def _from_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value + "+00:00")


def _utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)
