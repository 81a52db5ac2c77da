"""Maintenance windows: work that is planned breaks nothing that anybody need hear of. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from incident.core.alerts import StoredAlert
from incident.core.muting.mute import Alone, Mute
from incident.core.muting.windows import Window
from incident.core.services import ServiceMap


@dataclass(frozen=True)
class Maintenance:
    """Work on `services` and `journeys`, whichever are named."""

    name: str
    window: Window
    services: tuple[str, ...] = ()
    journeys: tuple[str, ...] = ()

    def concerns(self, alert: StoredAlert, needs: ServiceMap) -> bool:
        """A service that cannot work without one under maintenance is excused with it."""
        if alert.labels.get("journey") in self.journeys:
            return True
        return any(alert.service == name or needs.needs(alert.service, name) for name in self.services)


class Maintenances(Alone):
    """The stage."""

    def __init__(self, windows: Iterable[Maintenance], needs: ServiceMap) -> None:
        self._all = tuple(windows)
        self._needs = needs
        self._at: datetime | None = None
        self._open: list[Maintenance] = []

    def mute(self, alert: StoredAlert, now: datetime) -> Mute | None:
        if now != self._at:
            self._at, self._open = now, [item for item in self._all if item.window.open(now)]
        found = [f"maintenance: {item.name}" for item in self._open if item.concerns(alert, self._needs)]
        return Mute(muted_by=tuple(found)) if found else None

    def edge(self, now: datetime) -> datetime | None:
        edges = (item.window.edge(now) for item in self._all)
        return min((edge for edge in edges if edge is not None), default=None)
