"""The outbox's dealings with the database: taking up a delivery, and noting what became of it."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection

from incident.core.deliveries import PAGE, Message
from incident.core.folding import Draft
from incident.desk import Desk
from incident.store import deliveries as store
from incident.store import incidents as incident_store
from incident.store.deliveries import DELIVERED, FAILED, Claimed

log = structlog.get_logger("incident.daemon.dispatch")


class Dispatch:
    def __init__(self, desk: Desk, lease_s: float) -> None:
        """`lease_s`: seconds after which what was taken up and never settled may be taken up again, by anybody."""
        self._desk = desk
        self._lease_s = lease_s
        self._database = desk.database

    async def recover(self, channels: Iterable[str]) -> None:
        """After a start: what was being sent is due again; what is for a channel that is gone has failed.

        Where other processes may be at work, what was being sent is due when the time of whoever took it up is over.
        """
        if self._database.sole:
            await self._database.write(partial(store.release, now=self._desk.now()))
        await self.give_up(channels)

    async def give_up(self, channels: Iterable[str]) -> None:
        """After a start or a reload: what waits for others than these channels has failed, for they are gone."""
        names = list(channels)

        def job(connection: Connection) -> None:
            now = self._desk.now()
            for message in store.give_up(connection, names, now):
                _tell(connection, message, FAILED, "the channel is no longer in shopwatch.yaml", now)

        await self._desk.write_retried(job)

    async def claim(self, channel: str) -> Claimed | None:
        """The channel's next delivery, now marked as being sent; None when none is due."""
        while True:
            now = self._desk.now()
            chosen = await self._database.read(partial(store.next_due, channel=channel, now=now))
            if chosen is None:
                return None
            if not await self._database.write(partial(store.take_up, chosen=chosen, now=now, lease_s=self._lease_s)):
                continue
            if isinstance(chosen, Claimed):
                return chosen
            log.error("delivery unreadable", channel=channel, delivery=chosen.id, problem=chosen.problem)
            await self._database.write(
                partial(store.finish, claimed=chosen, state=FAILED, now=now, error=chosen.problem)
            )

    async def settle(self, claimed: Claimed, state: str, error: str | None = None) -> None:
        """Delivered, or failed for good; the timeline tells of a page that arrived and of anything given up."""

        def job(connection: Connection) -> bool:
            now = self._desk.now()
            ours = store.finish(connection, claimed, state, now, error)
            return ours and _tell(connection, claimed.message, state, error, now)

        if await self._desk.write_retried(job):
            await self._desk.changed()

    async def postpone(self, claimed: Claimed, wait_s: float, error: str) -> None:
        now = self._desk.now()
        await self._database.write(lambda connection: store.postpone(connection, claimed, now, wait_s, error))


def _tell(connection: Connection, message: Message, state: str, error: str | None, now: datetime) -> bool:
    """Adds to the timeline; returns whether there was something to tell. An update that arrives is not worth a line."""
    if state == DELIVERED and message.kind != PAGE:
        return False
    found = incident_store.by_number(connection, [message.number])
    if not found:  # not to be read: no reason to hold up the channel
        log.error("delivery of no incident", key=message.key, state=state)
        return False
    draft = Draft(found, 0, now)
    data = {"channel": message.channel, "key": message.key}
    if state == DELIVERED:
        draft.add(message.number, "paged", f"Paged: {message.channel}", data)
    else:
        words = f"The {message.kind} to {message.channel} was given up: {error}"
        draft.add(message.number, "delivery_failed", words, {**data, "error": error})
    incident_store.append(connection, draft.events, draft.incidents)
    return True
