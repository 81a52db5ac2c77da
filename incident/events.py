"""Events in PagerDuty's words: a key is triggered, acknowledged, resolved; and changes, which page nobody."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from incident.core.actor import Actor, Kind, Role
from incident.core.alerts import readable
from incident.errors import IncidentError
from incident.intake.pagerduty import HOLD, Event, alert_of
from incident.store import alerts as alert_store
from incident.store import events as store
from probes.alert import fingerprint

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
        now = self._clock()
        if event.action == "trigger":
            labels = await self._database.write(
                lambda connection: store.remember(connection, source, event.key, event.labels, now)
            )
            await self._desk.intake([alert_of(event, labels, now, self._hold(source))], source)
            return
        known = await self._database.read(lambda connection: store.labels_of(connection, source, event.key))
        if known is None:
            log.info("an event of an unknown key", action=event.action, source=source)
        elif event.action == "resolve":
            await self._desk.intake([alert_of(event, known, now)], source)
            await self._database.write(lambda connection: store.forget(connection, source, event.key))
        else:
            await self._acknowledge(fingerprint({**known, "dedup_key": event.key}), source)

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
