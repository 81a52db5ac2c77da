"""Asks each watcher in its turn what is wrong, takes that in, and ends what is over.

Nothing is kept here that a restart would lose: what fires is in the store, and a watcher is asked for all of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from incident.core.alerts import RESOLVED, StoredAlert
from incident.errors import IncidentError
from incident.store import alerts as alert_store
from probes.alert import Alert

if TYPE_CHECKING:
    from incident.desk import Desk

log = structlog.get_logger("incident.watching")

SOURCE = "shopwatch"
HOLD = timedelta(minutes=4)  # an alert that is not said again for so long is stale
RESEND = timedelta(minutes=1)
EVERY = 5.0  # seconds between two looks of a watcher
PATIENCE = 60.0  # seconds that one look may take

Look = Callable[["Desk", datetime], Awaitable[Sequence[Alert]]]


@dataclass(frozen=True)
class Watcher:
    """`look` returns all that is wrong now; `starts_at` matters, `ends_at` does not. It may raise: what fired then
    stays for a while, and goes stale where the watcher does not recover. `alertnames`: all that it ever raises, and
    nobody else does: an alert of such a name that `look` no longer returns is over. `every`: seconds between looks."""

    name: str
    alertnames: frozenset[str]
    look: Look
    every: float = EVERY


async def run(desk: "Desk", watchers: Sequence[Watcher]) -> None:
    """For ever. Each watcher has a task of its own: one that hangs or breaks holds up no other."""
    async with asyncio.TaskGroup() as group:
        for watcher in watchers:
            group.create_task(_watch(desk, watcher), name=watcher.name)


async def _watch(desk: "Desk", watcher: Watcher) -> None:
    failures = 0
    while True:
        try:
            async with asyncio.timeout(PATIENCE):
                await watch_once(desk, watcher, desk.now())
            failures = 0
        except Exception as error:  # a defect in one watcher must not end the daemon: it is said, and tried again
            failures += 1
            if failures & (failures - 1) == 0:  # the 1st, 2nd, 4th, 8th …
                known = isinstance(error, (IncidentError, TimeoutError))
                log.error("a watcher failed", watcher=watcher.name, error=repr(error), exc_info=not known)
        await asyncio.sleep(watcher.every)


async def watch_once(desk: "Desk", watcher: Watcher, now: datetime) -> None:
    """One look. Raises what the watcher raises, and StoreFull."""
    seen = {alert.fingerprint: alert for alert in await watcher.look(desk, now)}
    known = await desk.database.read(lambda connection: alert_store.not_over(connection, SOURCE, watcher.alertnames))
    said = {alert.fingerprint: alert for alert in known}
    news = [
        replace(alert, ends_at=now + HOLD)
        for fingerprint, alert in seen.items()
        if _worth_saying(said.get(fingerprint), alert, now)
    ]
    news += [
        Alert(alert.labels, alert.starts_at, max(now, alert.starts_at), alert.annotations)
        for fingerprint, alert in said.items()
        if fingerprint not in seen
    ]
    if news:
        await desk.intake(news, SOURCE)


def _worth_saying(known: StoredAlert | None, alert: Alert, now: datetime) -> bool:
    if known is None or known.state == RESOLVED or known.annotations != alert.annotations:
        return True
    return not timedelta(0) <= now - known.updated_at < RESEND or known.ends_at <= now
