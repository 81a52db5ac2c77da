"""Alerts that must keep coming fire all the time, which is no trouble: their silence is (`watching.dead_men`). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from incident.core.alerts import StoredAlert
from incident.core.muting.mute import Alone, Mute
from probes.labels import LabelMatcher, all_match


@dataclass(frozen=True)
class DeadManSwitch:
    name: str
    match: tuple[LabelMatcher, ...]

    def concerns(self, alert: StoredAlert) -> bool:
        return all_match(self.match, alert.labels)


class DeadMen(Alone):
    """The stage."""

    def __init__(self, switches: Iterable[DeadManSwitch]) -> None:
        self._all = tuple(switches)

    def mute(self, alert: StoredAlert, now: datetime) -> Mute | None:
        found = [f"dead man's switch: {switch.name}" for switch in self._all if switch.concerns(alert)]
        return Mute(muted_by=tuple(found)) if found else None
