"""Events in PagerDuty's words: a key is triggered, acknowledged, resolved; and changes, which page nobody."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from incident.core.actor import Actor, Kind, Role
from incident.core.alerts import readable, severity_of
from incident.errors import IncidentError
from incident.intake.pagerduty import HOLD, Event, alert_of, worse
from incident.store import alerts as alert_store
from incident.store import events as store
from probes.alert import Alert, fingerprint

if TYPE_CHECKING:
    from incident.desk import Desk

log = structlog.get_logger("intake")

ENGINE_HAS = 2.0  # seconds to decide on a trigger that is acknowledged right after it came
KEPT = timedelta(days=400)


class Events:
    def __init__(self, desk: "Desk", clock: Callable[[], datetime]) -> None:
        self._desk = desk
        self._database = desk.database
        self._clock = clock

    async def take(self, event: Event, source: str) -> None:
        """It is on disk when this returns. A key that is unknown is acknowledged or resolved in vain, as there."""
        if event.action == "trigger":
            await self._trigger(event, source)
            return
        known = await self._known(source, event.key)
        if known is None:
            log.info("an event of an unknown key", action=event.action, source=source)
        elif event.action == "resolve":
            await self._resolve(event, source, known)
        else:
            await self._acknowledge(fingerprint({**known.labels, "dedup_key": event.key}), source)

    async def _known(self, source: str, key: str) -> store.Known | None:
        return await self._database.read(lambda connection: store.known_as(connection, source, key))

    async def _trigger(self, event: Event, source: str) -> None:
        """What is worse than before is another alert: it fires and the one before is over, both at once.

        Everything is said again until nobody has changed what the key stands for meanwhile; so whoever fails half-way,
        or is overtaken, leaves nothing that the next word of this key does not put right.
        """

        def choose(old: Mapping[str, str], new: Mapping[str, str]) -> Mapping[str, str]:
            return worse(old, new) if self._severity(source, new) < self._severity(source, old) else old

        now, said = self._clock(), None
        known: store.Known | None = await self._database.write(
            lambda connection: store.remember_as(connection, source, event, choose, now)
        )
        while known is not None and known != said:
            fires = alert_of(event, known.labels, now, self._hold(source))
            await self._desk.intake([fires, *_over(event, known.former, now)], source)
            said, known = known, await self._known(source, event.key)
        if known is None and said is not None:  # it was resolved meanwhile
            await self._desk.intake(_over(event, (said.labels, *said.former), now), source)

    async def _resolve(self, event: Event, source: str, known: store.Known | None) -> None:
        while known is not None:
            await self._desk.intake(_over(event, (known.labels, *known.former), self._clock()), source)
            forget = partial(store.forget_as, source=source, key=event.key, known=known)
            known = None if await self._database.write(forget) else await self._known(source, event.key)

    def _severity(self, source: str, labels: Mapping[str, str]) -> str:
        known = self._desk.settings.intake.source(source)
        return (None if known is None else known.severities.get(labels.get("severity", ""))) or severity_of(labels)

    def _hold(self, source: str) -> timedelta:
        known = self._desk.settings.intake.source(source)
        return HOLD if known is None or known.silent_after is None else timedelta(seconds=known.silent_after)

    async def _acknowledge(self, identity: str, source: str) -> None:
        number = await self._incident_of(identity)
        if number is None:
            log.info("nothing to acknowledge", source=source, fingerprint=identity)
            return
        try:
            await self._desk.perform("ack", number, Actor(source, Role.RESPONDER, Kind.SYSTEM, "pagerduty"))
        except IncidentError as error:
            log.warning("an event could not acknowledge", incident=number, source=source, error=str(error))

    async def _incident_of(self, identity: str) -> int | None:
        """Once the engine has decided, or None where it decides on none."""
        deadline = asyncio.get_running_loop().time() + ENGINE_HAS
        while True:
            seen = self._desk.changes
            found = await self._database.read(lambda connection: alert_store.by_fingerprint(connection, [identity]))
            left = deadline - asyncio.get_running_loop().time()
            if not found or found[0].incident is not None or left <= 0:
                return found[0].incident if found else None
            await self._desk.wait_change(seen, left)

    async def changed(self, source: str, summary: str, data: Mapping[str, Any], at: datetime) -> None:
        """A deploy, or whatever else somebody changed."""
        words = readable(summary)
        await self._database.write(lambda connection: store.add_change(connection, source, words, data, at))

    async def changes(self, begin: datetime, end: datetime, limit: int = 200) -> list[dict[str, Any]]:
        """What was changed in this time, the newest first."""
        return await self._database.read(lambda connection: store.changes_between(connection, begin, end, limit))


def _over(event: Event, several: Iterable[Mapping[str, str]], now: datetime) -> list[Alert]:
    """The alerts of this key that had these labels are over; where it goes on, says with which severity."""
    words = {"summary": f"now {event.labels.get('severity', 'worse')}"} if event.action == "trigger" else {}
    word = replace(event, action="resolve", annotations=words, at=None)
    return [alert_of(word, labels, now) for labels in several]
