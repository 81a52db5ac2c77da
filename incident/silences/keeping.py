"""`desk.silences`: what people do with silences, who did it, and what concerned incidents are told."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import structlog
from sqlalchemy import Connection

from incident.core.actor import Actor, Kind, Role
from incident.core.muting.silences import Silence, State
from incident.errors import NotFound, Refused
from incident.silences import rules, store
from incident.store.database import Database

log = structlog.get_logger("incident.silences")
T = TypeVar("T")
RETENTION = timedelta(hours=120)  # of expired ones, as in Alertmanager
MOST = 1000  # that have not expired: each is tried on every alert


class Write(Protocol):
    def __call__(self, job: Callable[[Connection], T]) -> Awaitable[T]: ...


class Tell(Protocol):
    """Writes into the timelines that a silence concerns; returns how many messages follow."""

    def __call__(self, connection: Connection, silence: Silence, what: str, *, actor: Actor, now: datetime) -> int: ...


class Silences:
    """`write` runs a job that appends to timelines; `announce` wakes the engine after a change."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        write: Write,
        tell: Tell,
        announce: Callable[[int], Awaitable[None]],
    ) -> None:
        self._database = database
        self._now = clock
        self._write = write
        self._tell = tell
        self._announce = announce

    async def post(self, wanted: rules.Wanted, actor: Actor) -> str:
        """Makes one, or changes the one that `wanted.id` names. Returns the id, another one where it was replaced.

        Raises NotAllowed, NotFound or Refused.
        """
        _allowed(actor)
        now = self._now()
        rules.check(wanted, now)
        new_id = str(uuid4())
        kept, messages = await self._write(lambda connection: self._post(connection, wanted, new_id, actor, now))
        log.info("silence", silence=kept, actor=actor.name, via=actor.via)
        await self._announce(messages)
        return kept

    def _post(
        self, connection: Connection, wanted: rules.Wanted, new_id: str, actor: Actor, now: datetime
    ) -> tuple[str, int]:
        old = None if wanted.id is None else store.find(connection, wanted.id)
        if wanted.id is not None and old is None:
            raise NotFound("silence not found")
        silence = None if old is None else rules.changed(old, wanted, now)
        kind = "created" if silence is None else "updated"
        if silence is None:
            silence = rules.made(wanted, new_id, now)
            if len(store.live(connection, now)) >= MOST:
                raise Refused(f"there are {MOST} silences, which is the most: end some that nobody needs")
            if old is not None and old.state(now) is not State.EXPIRED:
                self._end(connection, old, actor, now)
        store.save(connection, silence)
        data = {"comment": silence.comment, "created_by": silence.created_by}
        store.record(connection, silence.id, kind, now=now, actor=actor, data=data)
        return silence.id, self._tell(connection, silence, kind, actor=actor, now=now)

    def _end(self, connection: Connection, silence: Silence, actor: Actor, now: datetime) -> None:
        store.save(connection, rules.expired(silence, now))
        store.record(connection, silence.id, "expired", now=now, actor=actor, data={})

    async def expire(self, silence: str, actor: Actor) -> None:
        """Ends it now; one that is over is left alone. Raises NotAllowed or NotFound."""
        _allowed(actor)
        now = self._now()

        def job(connection: Connection) -> int:
            found = store.find(connection, silence)
            if found is None:
                raise NotFound(f"there is no silence {silence}")
            if found.state(now) is State.EXPIRED:
                return 0
            messages = self._tell(connection, found, "expired", actor=actor, now=now)
            self._end(connection, found, actor, now)
            return messages

        messages = await self._write(job)
        log.info("silence expired", silence=silence, actor=actor.name, via=actor.via)
        await self._announce(messages)

    async def get(self, silence: str) -> Silence:
        """Raises NotFound."""
        found = await self._database.read(lambda connection: store.find(connection, silence))
        if found is None:
            raise NotFound(f"there is no silence {silence}")
        return found

    async def every(self) -> list[Silence]:
        """Those that are kept, expired ones too."""
        return await self._database.read(store.every)

    async def record(self, silence: str) -> list[dict[str, Any]]:
        """Who did what to it, and when, the oldest first, as JSON. Raises NotFound."""
        await self.get(silence)
        return await self._database.read(lambda connection: store.recorded(connection, silence))


def _allowed(actor: Actor) -> None:
    """Who may send alerts may silence them, as in Alertmanager; of people, responders."""
    if actor.kind is not Kind.SOURCE:
        actor.must_be(Role.RESPONDER, "silence alerts")


def in_order(silences: Iterable[Silence], now: datetime) -> list[Silence]:
    """Active ones first, by their end; then those to come, by their start; then those over, the last ended first."""
    found = list(silences)
    active = [one for one in found if one.state(now) is State.ACTIVE]
    pending = [one for one in found if one.state(now) is State.PENDING]
    over = [one for one in found if one.state(now) is State.EXPIRED]
    return [
        *sorted(active, key=lambda one: one.span(now)[1]),
        *sorted(pending, key=lambda one: one.span(now)[0]),
        *sorted(over, key=lambda one: one.span(now)[1], reverse=True),
    ]
