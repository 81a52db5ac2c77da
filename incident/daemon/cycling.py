"""Runs the engine's steps until nothing waits, and clears away what is old enough."""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from incident.core.decide import Policy
from incident.core.deliveries import Telling
from incident.daemon import engine
from incident.daemon.holding import Holding
from incident.silences import store as silence_store
from incident.silences.keeping import RETENTION
from incident.store import alerts as alert_store
from incident.store import events as event_store
from incident.store.database import Database
from incident.store.open_shelf import OpenShelf

T = TypeVar("T")
PRUNE_EVERY = 3600.0  # seconds
MOST_STEPS = 200  # transactions of one cycle; what is left is for the next
EVENTS_KEPT = timedelta(days=400)


class Write(Protocol):
    def __call__(self, job: Callable[[Connection], T]) -> Awaitable[T]: ...


class Changed(Protocol):
    def __call__(self, *, messages: int) -> Awaitable[None]: ...


class Cycling:
    """`last_s`: seconds of the last cycle. `count` and `failed`: how many there were. `decided`: events that came of
    them. `hesitates`: the last one left alerts waiting, for what may come with them. `write` tries again where somebody
    else was faster; `changed` tells who waits for news."""

    def __init__(self, database: Database, holding: Holding, write: Write, changed: Changed) -> None:
        self._database = database
        self._holding = holding
        self._write = write
        self._changed = changed
        self._pruned = float("-inf")
        self._shelf = OpenShelf()
        self.last_s = 0.0
        self.count = self.failed = self.decided = 0
        self.hesitates = False

    @property
    def pulse(self) -> int:
        """Grows with every cycle that ended well."""
        return self.count - self.failed

    async def cycle(
        self, now: datetime, policy: Policy, telling: Telling, listening_since: datetime, *, patient: bool = False
    ) -> datetime | None:
        """Returns when the next thing is due by itself."""

        def step(connection: Connection) -> engine.Step:
            return engine.step(
                connection, now, policy, telling,
                listening_since=listening_since, holding=self._holding, shelf=self._shelf,
                patient=patient,
            )  # fmt: skip

        started, well = time.perf_counter(), False
        try:
            due = await self._steps(step, now)
            await self._prune(now)
            well = True
        finally:
            self.last_s = time.perf_counter() - started
            self.count += 1
            self.failed += not well
        return due

    async def _steps(self, step: Callable[[Connection], engine.Step], now: datetime) -> datetime | None:
        for _ in range(MOST_STEPS):
            done = await self._step(step)
            self.hesitates = done.hesitates
            if done.events:
                self.decided += done.events
                await self._changed(messages=done.messages)
            if not done.more:
                return done.next_due
        return now

    async def _step(self, step: Callable[[Connection], engine.Step]) -> engine.Step:
        try:
            done = await self._write(step)
        except BaseException:
            self.forget()
            raise
        self._holding.committed()
        return done

    def forget(self) -> None:
        """What is remembered of the database may not be so, or not any more."""
        self._holding.forget()
        self._shelf.forget()

    async def _prune(self, now: datetime) -> None:
        if time.monotonic() - self._pruned < PRUNE_EVERY:
            return
        self._pruned = time.monotonic()

        def job(connection: Connection) -> None:
            alert_store.prune(connection, now - timedelta(days=5), now - timedelta(days=30))
            silence_store.prune(connection, now - RETENTION)
            event_store.prune(connection, now - EVENTS_KEPT)

        await self._database.write(job)
