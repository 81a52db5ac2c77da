"""Which alerts are held back now. The engine judges what changed, and everything anew when an edge of time passed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy import Connection

from incident.core.alerts import FIRING, StoredAlert
from incident.core.muting.mute import Alone, Muted, Stage, mute_of
from incident.core.muting.stages import World, build
from incident.core.policy import world_of
from incident.settings import Settings
from incident.silences import store as silence_store
from incident.store import alerts as alert_store
from incident.store import locations as location_store
from incident.store.shelf import Shelf

# Of the silences; and the locations that are heard, with the journeys on which each has a say.
Revision = tuple[int, frozenset[tuple[str, str | None]]]


log = structlog.get_logger("incident.daemon.holding")


@dataclass(frozen=True)
class Judged:
    """`held`: fingerprints of those waiting that are not to be decided on. `again`: others are to be, from now on."""

    held: frozenset[str]
    again: bool


@dataclass(frozen=True)
class _Basis:
    """What the last judgement of everything was made from, and until when time does not change it."""

    revision: Revision
    settings: Settings
    judged_at: datetime
    edge: datetime | None

    def holds(self, revision: Revision, settings: Settings, now: datetime) -> bool:
        same = self.revision == revision and self.settings is settings
        return same and self.judged_at <= now and (self.edge is None or now < self.edge)


class Holding:
    """One in a process. What it remembers can be forgotten at any time, and is worked out again."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._shelf = Shelf()
        self._oldest = Shelf()
        self._stages: tuple[Stage, ...] = ()
        self._basis: _Basis | None = None  # of the stages
        self._stored: _Basis | None = None  # of what the database says, once it is committed

    def forget(self) -> None:
        """After a transaction that came to nothing: what the stages have seen in it may not be so."""
        self._basis = self._stored = None

    def committed(self) -> None:
        """What was judged last is on disk."""
        self._stored = self._basis

    @property
    def edge(self) -> datetime | None:
        """When time alone changes something next."""
        return None if self._basis is None else self._basis.edge

    def judge(self, connection: Connection, waiting: Sequence[StoredAlert], now: datetime) -> Judged:
        """Writes down who is held back from now on. `waiting` have changed since they were last judged."""
        revision, settings = _revision(connection), self._settings()
        if self._basis is None or not self._basis.holds(revision, settings, now):
            self._stages = build(_world(connection, settings, now))
            others = self._all(connection)
            edges = (stage.edge(now) for stage in self._stages)
            edge = min((edge for edge in edges if edge is not None), default=None)
            self._basis = _Basis(revision, settings, now, edge)
        else:
            others = self._concerned(connection, waiting)
        judged = {alert.fingerprint: alert for alert in (*others, *waiting)}
        return _write(connection, self._changes(judged.values(), now), judged, waiting)

    def _all(self, connection: Connection) -> list[StoredAlert]:
        firing = alert_store.firing(connection) if self._stages else []
        for stage in self._stages:
            stage.start(firing)
        return [*alert_store.muted(connection), *firing]

    def _concerned(self, connection: Connection, waiting: Iterable[StoredAlert]) -> list[StoredAlert]:
        concerned: set[str] = set()
        own = set()
        for alert in waiting:
            own.add(alert.fingerprint)
            for stage in self._stages:
                concerned.update(stage.changed(alert))
        return alert_store.by_fingerprint(connection, concerned - own)

    def _changes(self, alerts: Iterable[StoredAlert], now: datetime) -> dict[str, Muted | None]:
        """Those whose mute is another than what was stored."""
        found = {}
        for alert in alerts:
            why = _why(self._stages, alert, now) if alert.state == FIRING else None
            if why != alert.muted:
                found[alert.fingerprint] = why
        return found

    def active(self, connection: Connection, now: datetime, most: int | None = None) -> list[StoredAlert]:
        """Those that fire now, by fingerprint, with what holds them back now, whether the engine has looked or not.

        With `most` no more than so many: those that began first, the oldest first.
        """
        stages = self._stages_beyond(connection, now)
        if most is None or not stages or all(isinstance(stage, Alone) for stage in stages):
            alerts = (self._shelf if most is None else self._oldest).active(connection, now, most)
            for stage in stages or ():
                stage.start(alerts)
        else:  # some look at other alerts too, which may be among the younger ones
            firing = self._shelf.active(connection, now)
            for stage in stages:
                stage.start(firing)
            alerts = sorted(firing, key=lambda alert: (alert.starts_at, alert.fingerprint))[:most]
        if not stages:
            return alerts if stages is None else [_as_now(alert, None) for alert in alerts]
        return [_as_now(alert, _why(stages, alert, now)) for alert in alerts]

    def _stages_beyond(self, connection: Connection, now: datetime) -> tuple[Stage, ...] | None:
        """What has to judge the alerts once more; None where the database says what holds them back now."""
        revision, settings, stored = _revision(connection), self._settings(), self._stored
        if stored is not None and stored.holds(revision, settings, now) and not alert_store.undecided(connection):
            return None
        return build(_world(connection, settings, now))


def _why(stages: Sequence[Stage], alert: StoredAlert, now: datetime) -> Muted | None:
    """A defect in a stage holds nothing back: better a page too many."""
    try:
        return mute_of(stages, alert, now)
    except Exception as error:
        log.exception("muting broke", fingerprint=alert.fingerprint, error=str(error))
        return None


def _as_now(alert: StoredAlert, why: Muted | None) -> StoredAlert:
    return alert if why == alert.muted else replace(alert, muted=why)


def _revision(connection: Connection) -> Revision:
    return silence_store.revision(connection), location_store.agreeing(connection)


def _world(connection: Connection, settings: Settings, now: datetime) -> World:
    heard = {name: location_store.read(journeys) for name, journeys in location_store.agreeing(connection)}
    return world_of(settings, silence_store.live(connection, now), heard)


def _write(
    connection: Connection,
    changes: Mapping[str, Muted | None],
    judged: Mapping[str, StoredAlert],
    waiting: Sequence[StoredAlert],
) -> Judged:
    fresh = {alert.fingerprint for alert in waiting}
    held = {
        fingerprint
        for fingerprint in fresh
        if judged[fingerprint].state == FIRING and changes.get(fingerprint, judged[fingerprint].muted) is not None
    }
    alert_store.mute(
        connection,
        {key: changes.get(key, judged[key].muted) for key in held},
        alert_store.DECIDED,
    )
    freed = {
        key: why for key, why in changes.items() if why is None and key not in fresh and judged[key].state == FIRING
    }
    alert_store.mute(connection, freed, alert_store.WAITING)
    rest = {key: why for key, why in changes.items() if key not in held and key not in freed}
    alert_store.mute(connection, rest, None)
    return Judged(frozenset(held), bool(freed))
