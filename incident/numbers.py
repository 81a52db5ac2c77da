"""The figures that `/metrics` shows of the incident side."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, func, select

from incident.store import alerts as alert_store
from incident.store import deliveries as delivery_store
from incident.store.tables import incidents

BUCKETS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0)


@dataclass(frozen=True)
class Histogram:
    """As Prometheus counts: `counts[i]` observations of at most BUCKETS[i] seconds, cumulative; `count` in all."""

    counts: tuple[int, ...]
    count: int
    total: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Histogram":
        values = list(seconds)
        counts = tuple(sum(value <= bound for value in values) for bound in BUCKETS)
        return cls(counts, len(values), sum(values))


@dataclass(frozen=True)
class Numbers:
    """`incidents`: open ones by (severity, status). `alerts`: by state, with `aside` for those not decided on.

    `deliveries`: by (channel, outcome delivered, failed or retried). `oldest_due_s`: 0 when everything is out.
    `times`: detect, acknowledge and resolve, over all incidents.
    """

    incidents: dict[tuple[str, str], int] = field(default_factory=dict)
    alerts: dict[str, int] = field(default_factory=dict)
    deliveries: dict[tuple[str, str], int] = field(default_factory=dict)
    oldest_due_s: float = 0.0
    times: dict[str, Histogram] = field(default_factory=dict)
    cycle_duration_s: float = 0.0
    cycles: int = 0
    cycle_failures: int = 0


def gather(connection: Connection, now: datetime) -> Numbers:
    """What the database can tell; the desk adds what only the process knows."""
    grouped = select(incidents.c.severity, incidents.c.status, func.count()).where(incidents.c.open)
    rows = connection.execute(grouped.group_by(incidents.c.severity, incidents.c.status))
    oldest = delivery_store.oldest_due(connection)
    return Numbers(
        incidents={(severity, status): number for severity, status, number in rows},
        alerts=alert_store.count(connection),
        deliveries=delivery_store.count(connection),
        oldest_due_s=0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()),
        times={name: _histogram(connection, f"{name}_s") for name in ("detect", "acknowledge", "resolve")},
    )


def _histogram(connection: Connection, column: str) -> Histogram:
    values = connection.execute(select(incidents.c[column]).where(incidents.c[column].is_not(None))).scalars()
    return Histogram.of(values)
