"""Whose secret is it? Stored tokens (as hashes), configured sources, and tokens lent by this process."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from incident.core.actor import Actor, Kind, Role
from incident.core.alerts import readable
from incident.errors import Refused
from incident.settings import Settings
from incident.store import tokens as store
from incident.store.database import Database

log = structlog.get_logger("incident.tokens")

_FRESH = 1.0  # seconds that a look at the table is trusted; another process may have made or revoked one meanwhile


class Tokens:
    """Secrets are looked up by their SHA-256, so that the time it takes tells nothing of a secret's beginning."""

    def __init__(self, database: Database, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._stored: dict[str, Actor] = {}
        self._read_at = float("-inf")
        self._lent: dict[str, Actor] = {}
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """The sources and people of these settings, and no others."""
        self._people = {name: Role.parse(person.role) for name, person in settings.people.items()}
        self._sources = {
            store.digest(source.token): Actor(source.name, Role.VIEWER, Kind.SOURCE)
            for source in settings.intake.sources
        }

    async def create(self, actor: Actor) -> str:
        """The secret, which is shown this once. Raises Refused when the name is taken or is none."""
        if not actor.name or len(actor.name) > 100 or readable(actor.name) != actor.name:
            raise Refused("a token's name is 1 to 100 printable characters, such as a person's or a system's")
        secret = store.new_secret()
        await self._database.write(lambda connection: store.add(connection, actor, secret, self._clock()))
        log.info("token created", token=actor.name, role=str(actor.role), kind=str(actor.kind))
        self._read_at = float("-inf")
        return secret

    def role_of(self, name: str) -> Role:
        """That of a person of shopwatch.yaml. Raises Refused for anybody else."""
        if name not in self._people:
            raise Refused(f"{readable(name)!r} is not one of the people in shopwatch.yaml: say which role (--role)")
        return self._people[name]

    def lend(self, actor: Actor) -> str:
        secret = store.new_secret()
        self._lent[store.digest(secret)] = actor
        return secret

    async def listed(self) -> list[dict[str, Any]]:
        return await self._database.read(store.listed)

    async def revoke(self, name: str) -> None:
        """Raises NotFound."""
        await self._database.write(lambda connection: store.remove(connection, name))
        log.info("token revoked", token=name)
        self._read_at = float("-inf")

    async def authenticate(self, secret: str) -> Actor | None:
        key = store.digest(secret)
        held = self._lent.get(key) or self._sources.get(key)
        if held is not None:
            return held
        stored = (await self._fresh()).get(key)
        return None if stored is None else self._limited(stored)

    async def any_source(self) -> bool:
        """Whether any source has a token, by shopwatch.yaml or in the database. Raises StoreUnavailable."""
        return bool(self._sources) or any(actor.kind is Kind.SOURCE for actor in (await self._fresh()).values())

    async def _fresh(self) -> dict[str, Actor]:
        """Those in the database, by hash. Raises StoreUnavailable."""
        if time.monotonic() - self._read_at > _FRESH:
            self._stored = await self._database.read(store.actors)
            self._read_at = time.monotonic()
        return self._stored

    def _limited(self, actor: Actor) -> Actor:
        """A person may do what the token and the file both allow: lowering a role in the file works at once."""
        role = self._people.get(actor.name) if actor.kind is Kind.PERSON else None
        return actor if role is None or role >= actor.role else replace(actor, role=role)
