"""Why one alert is held back, and what a stage is that says so. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from incident.core.alerts import StoredAlert

Muted = Mapping[str, list[str]]  # as it is stored and shown: silencedBy, inhibitedBy, mutedBy


@dataclass(frozen=True, slots=True)
class Mute:
    """Ids of silences, fingerprints of the alerts that inhibit, and names such as `maintenance: database move`."""

    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    muted_by: tuple[str, ...] = ()

    def __add__(self, other: "Mute") -> "Mute":
        return Mute(
            self.silenced_by + other.silenced_by,
            self.inhibited_by + other.inhibited_by,
            self.muted_by + other.muted_by,
        )

    def to_json(self) -> Muted:
        """As Alertmanager's `status` has it: all three are there."""
        return {
            "silencedBy": list(self.silenced_by),
            "inhibitedBy": list(self.inhibited_by),
            "mutedBy": list(self.muted_by),
        }


class Stage(Protocol):
    """One reason to hold alerts back. It may keep in memory what it needs to know of the alerts that fire.

    It is told of every alert that starts or stops firing, once or more often, and must not mind hearing things twice.
    """

    def start(self, firing: Iterable["StoredAlert"]) -> None:
        """Forgets what was; these fire now."""

    def changed(self, alert: "StoredAlert") -> Iterable[str]:
        """`alert` began to fire, or no longer does (`state`). Returns fingerprints of others that this may concern."""

    def mute(self, alert: "StoredAlert", now: datetime) -> Mute | None:
        """Why this alert, which fires, is held back at `now`; None when this stage has nothing against it."""

    def edge(self, now: datetime) -> datetime | None:
        """When, after `now`, time alone changes what this stage says of some alert."""


class Alone:
    """Base of stages that look at each alert by itself."""

    def start(self, firing: Iterable["StoredAlert"]) -> None:
        """Nothing to remember."""

    def changed(self, alert: "StoredAlert") -> Iterable[str]:
        return ()

    def edge(self, now: datetime) -> datetime | None:
        return None


def mute_of(stages: Iterable[Stage], alert: "StoredAlert", now: datetime) -> Muted | None:
    """All reasons together; None when there is none."""
    found: Mute | None = None
    for stage in stages:
        mute = stage.mute(alert, now)
        if mute is not None:
            found = mute if found is None else found + mute
    return None if found is None else found.to_json()
