"""How many orders usually go through a service, where a journey reads it.

While a shop is down its orders fall to nothing, so that what was measured while the trouble goes on says little: what
counts is the highest of what was usual in the last hour, in the hour before each open incident that concerns the
service, and in that before the alerts about to be decided on began. `incident.store.measured` says what is usual in an
hour.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property

from sqlalchemy import Connection, select

from incident.core.alerts import FIRING, UNASSIGNED, readable
from incident.core.placing import Policy
from incident.core.services import ServiceMap
from incident.core.severity import Scale
from incident.store import measured
from incident.store.alerts import WAITING
from incident.store.tables import alerts, incidents

LONGEST = timedelta(days=1)  # trouble that began before that says nothing of the orders of now
_NEW = timedelta(minutes=5)  # trouble that has lasted for less has not changed what is usual in the last hour
_MOST = 200  # alerts that wait


def at_hand(connection: Connection, policy: Policy, now: datetime) -> Mapping[str, float]:
    """Orders a minute by service; looked up once somebody asks, in the caller's transaction."""
    scale = policy.scale
    return _Lazy(connection, scale, policy.services, now) if scale.measured else scale.orders


def usual(connection: Connection, scale: Scale, begun: Mapping[str, Iterable[datetime]]) -> dict[str, float]:
    """Orders a minute of every service of which they are known. `begun`: the instants before which they are looked up,
    by service; what nothing was measured of has the number that the settings give."""
    found = dict(scale.orders)
    for service, source in scale.measured.items():
        number = measured.usual(connection, *source, begun.get(service, ()))
        if number is not None:
            found[service] = float(f"{number:.3g}")
    return found


class _Lazy(Mapping[str, float]):
    """Most cycles decide on nothing, and ask for nothing."""

    def __init__(self, connection: Connection, scale: Scale, services: ServiceMap, now: datetime) -> None:
        self._connection = connection
        self._scale = scale
        self._services = services
        self._now = now

    @cached_property
    def _found(self) -> dict[str, float]:
        begin, end = self._now - LONGEST, self._now - _NEW
        troubles = (*_open(self._connection), *_waiting(self._connection, begin, end))
        recent = [(root, at) for root, at in troubles if begin <= at <= end]
        begun = {
            service: {self._now, *(at for root, at in recent if self._concerns(root, service))}
            for service in self._scale.measured
        }
        return usual(self._connection, self._scale, begun)

    def _concerns(self, root: str, service: str) -> bool:
        """Orders take one path: whichever part of it is in trouble, there are fewer of them in the others too."""
        return root == service or self._services.needs(root, service) or self._services.needs(service, root)

    def __getitem__(self, service: str) -> float:
        return self._found[service]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _open(connection: Connection) -> Iterator[tuple[str, datetime]]:
    """The service in which each open incident lies, since when it does, and when that was noticed."""
    query = select(incidents.c.service, incidents.c.opened_at, incidents.c.detect_s).where(incidents.c.open)
    for row in connection.execute(query):
        yield row.service, row.opened_at
        yield row.service, row.opened_at - timedelta(seconds=row.detect_s)


def _waiting(connection: Connection, begin: datetime, end: datetime) -> Iterator[tuple[str, datetime]]:
    """The services of alerts that the engine is about to decide on, and when they began: one may have been silenced
    for hours."""
    query = select(alerts.c.labels, alerts.c.of_service, alerts.c.starts_at).order_by(alerts.c.starts_at)
    waits = (alerts.c.pending == WAITING, alerts.c.state == FIRING, alerts.c.starts_at.between(begin, end))
    for row in connection.execute(query.where(*waits).limit(_MOST)):
        yield readable(row.labels.get("service", "")) or row.of_service or UNASSIGNED, row.starts_at
