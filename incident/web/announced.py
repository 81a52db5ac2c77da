"""Maintenance windows as the status page's data announces them, in the shape of statuspage.io. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from incident.core.muting.maintenance import Maintenance

AHEAD = timedelta(days=90)


@dataclass(frozen=True)
class Announced:
    """One window, and its public services."""

    name: str
    starts_at: datetime
    ends_at: datetime
    services: tuple[str, ...]


def announced(windows: Iterable[Maintenance], public: Iterable[str], now: datetime) -> list[Announced]:
    """Those that are open or begin within 90 days and concern a public service; of one that recurs, the next."""
    shown = set(public)
    found = []
    for item in windows:
        services = tuple(name for name in item.services if name in shown)
        span = item.window.span(now)
        if services and span is not None and span[0] - now < AHEAD:
            found.append(Announced(item.name, span[0], span[1], services))
    return sorted(found, key=lambda one: one.starts_at)


def edge(windows: Iterable[Maintenance], now: datetime) -> datetime | None:
    """When what is announced changes by itself."""
    return min((at for item in windows if (at := item.window.edge(now)) is not None), default=None)


def announcement(
    one: Announced, *, number: str, page: str, url: str, now: datetime, started_at: datetime, components: list[Any]
) -> Mapping[str, Any]:
    """`components`: of the services that it concerns. `started_at`: since when it has been said."""
    under_way = one.starts_at <= now
    said = min(started_at, one.starts_at)
    return {
        "id": number,
        "name": one.name,
        "status": "in_progress" if under_way else "scheduled",
        "created_at": _at(said),
        "updated_at": _at(one.starts_at if under_way else said),
        "monitoring_at": None,
        "resolved_at": None,
        "impact": "maintenance",
        "shortlink": url,
        "started_at": _at(one.starts_at if under_way else said),
        "page_id": page,
        "incident_updates": [],
        "components": components,
        "scheduled_for": _at(one.starts_at),
        "scheduled_until": _at(one.ends_at),
    }


def _at(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds")
