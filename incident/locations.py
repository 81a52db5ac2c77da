"""The places from which probers look: when each was last heard of, and which have fallen silent."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from incident.errors import NotFound, Refused
from incident.settings import Settings
from incident.store import locations as location_store
from incident.store.database import Database

AWAY = timedelta(seconds=30)  # between two looks; after a longer while we were away ourselves, and heard nobody
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_NUMBERS = ("journeys", "leftovers", "waiting")
_MOST_JOURNEYS = 1000  # that a prober may name; it names none where there are more


class Locations:
    """`changed` is awaited when a location came or went, because alerts may be held back differently then."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        settings: Callable[[], Settings],
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database
        self._now = clock
        self._settings = settings
        self._changed = changed
        self._listening_since = clock()
        self._looked_at = clock()

    async def beat(self, body: Any, source: str) -> None:
        """Takes a prober's word that it is there. Raises Refused, StoreFull."""
        name, data, now = *_checked(body), self._now()
        names = _agrees_on(body)

        def job(connection: Connection) -> bool:
            return location_store.beat(connection, name, source, data, now, agrees_on=names)

        if await self._database.write(job):
            await self._changed()

    async def look(self, now: datetime) -> None:
        """Notices who has fallen silent by `now`. Whoever was not heard because we were away has time to be heard."""
        if not timedelta(0) <= now - self._looked_at <= AWAY:
            self._listening_since = now
        self._looked_at = now
        before = now - timedelta(seconds=self._settings().prober.silent_after)
        if self._listening_since > before:
            return
        if await self._database.write(lambda connection: location_store.fall_silent(connection, before, now)):
            await self._changed()

    async def listed(self) -> list[dict[str, Any]]:
        """As JSON, by name."""
        return [_to_json(row) for row in await self._database.read(location_store.listed)]

    async def forget(self, name: str) -> None:
        """It is not missed any more, until it is heard again. Raises NotFound."""
        known = _NAME.fullmatch(name) is not None
        if not known or not await self._database.write(lambda connection: location_store.forget(connection, name)):
            raise NotFound(f"there is no location {name!r}")
        await self._changed()


def _checked(body: Any) -> tuple[str, dict[str, Any]]:
    """Its name, and what else is kept of it. Raises Refused."""
    if not isinstance(body, Mapping):
        raise Refused("a heartbeat should be an object")
    name, version, troubles = body.get("location"), body.get("version", ""), body.get("troubles", [])
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Refused("location should be a name: letters, digits, _, . and -, at most 63 of them")
    if not isinstance(version, str) or len(version) > 100:
        raise Refused("version should be a short text")
    if not isinstance(troubles, list) or len(troubles) > 100 or not all(isinstance(text, str) for text in troubles):
        raise Refused("troubles should be a list of texts")
    numbers = {key: body.get(key, 0) for key in _NUMBERS}
    for key, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 10**9:
            raise Refused(f"{key} should be a number")
    return name, {"version": _text(version), "troubles": [_text(text[:500]) for text in troubles[:20]], **numbers}


def _agrees_on(body: Mapping[str, Any]) -> list[str] | None:
    """The journeys of its that want several locations to agree; None where it does not say. Raises Refused."""
    names = body.get("agrees_on")
    if names is None:
        return None
    if not isinstance(names, list) or len(names) > _MOST_JOURNEYS:
        raise Refused(f"agrees_on should be a list of journeys, at most {_MOST_JOURNEYS}")
    if not all(isinstance(name, str) and len(name) <= 100 for name in names):
        raise Refused("agrees_on should be a list of names of journeys")
    return [_text(name) for name in names]


def _text(text: str) -> str:
    """What every database and every reader can take."""
    return text.replace("\0", "").encode(errors="replace").decode()


def _to_json(row: Row[Any]) -> dict[str, Any]:
    return {
        "location": row.name,
        "heard_at": row.heard_at.isoformat(),
        "first_heard": row.first_heard.isoformat(),
        "silent": row.silent_since is not None,
        "silent_since": None if row.silent_since is None else row.silent_since.isoformat(),
        "source": row.source,
        "agrees_on": None if row.agrees_on is None else sorted(location_store.read(row.agrees_on) or ()),
        **row.data,
    }
