"""Alerts that come while others are on their way to the disk wait, and go together: one statement, one commit."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import Connection

from incident.core.alerts import StoredAlert
from incident.errors import Refused
from incident.store import alerts as alert_store

MOST = 2048  # alerts that go together; one batch more is never split

Batch = Sequence[StoredAlert]
Write = Callable[[Callable[[Connection], int]], Awaitable[int]]  # a job in a transaction of its own


class Gathering:
    """Hands batches on in the order in which they came. `news` counts the alerts that the engine had to look at."""

    def __init__(self, write: Write) -> None:
        self.news = 0
        self._write = write
        self._waiting: list[tuple[Batch, asyncio.Future[bool]]] = []
        self._at_work: asyncio.Task[None] | None = None

    async def store(self, batch: Batch) -> bool:
        """Returns once they are on disk: whether the engine has something to look at.

        Raises StoreFull or StoreUnavailable; Refused where the database cannot hold one of this batch.
        """
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, done))
        if self._at_work is None:
            self._at_work = asyncio.create_task(self._work())
        return await done

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._together(self._next())
        finally:
            self._at_work = None
            left, self._waiting = self._waiting, []
            for _, done in left:
                done.cancel()

    def _next(self) -> list[tuple[Batch, "asyncio.Future[bool]"]]:
        count = size = 0
        for batch, _ in self._waiting:
            if count and size + len(batch) > MOST:
                break
            count, size = count + 1, size + len(batch)
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    async def _together(self, group: "list[tuple[Batch, asyncio.Future[bool]]]") -> None:
        alerts = [alert for batch, _ in group for alert in batch]
        try:
            news = await self._write(lambda connection: alert_store.take_in(connection, alerts))
        except Refused as error:  # one of them cannot be kept: the others are not to suffer for it
            if len(group) > 1:
                for one in group:
                    await self._together([one])
            else:
                _settle(group, error)
        except BaseException as error:
            _settle(group, error)
            if not isinstance(error, Exception):
                raise
        else:
            self.news += news
            for _, done in group:
                if not done.done():  # whoever waited for it may have gone
                    done.set_result(news > 0)


def _settle(group: "list[tuple[Batch, asyncio.Future[bool]]]", error: BaseException) -> None:
    for _, done in group:
        if not done.done():
            done.set_exception(error) if isinstance(error, Exception) else done.cancel()
