"""Whose token is this? Tokens live in three places: this process (its own prober and command line), shopwatch.yaml
(alert sources), and the database (`shopwatch token create`, kept as hashes)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256

from incident.actor import Actor, Kind, Role
from incident.desk import Desk


class Callers:
    """Finds the actor of a secret. `open_to_loopback`: no source token is configured anywhere yet."""

    def __init__(
        self, desk: Desk, sources: Iterable[tuple[str, str | None]] = (), local: Mapping[str, Actor] | None = None
    ) -> None:
        """`sources`: (name, token) of `intake.sources`. `local`: secret -> actor, known to this process only."""
        self._desk = desk
        configured = list(sources)
        self._known = {_digest(secret): actor for secret, actor in (local or {}).items()}
        for name, token in configured:
            if token:
                self._known[_digest(token)] = source_actor(name)
        self._sources_in_file = bool(configured)
        self.open_to_loopback = not configured
        self.neighbour = source_actor("loopback")

    async def refresh(self) -> None:
        """To be called at start and whenever tokens were created or revoked."""
        stored = any(token["kind"] == Kind.SOURCE for token in await self._desk.tokens())
        self.open_to_loopback = not (self._sources_in_file or stored)

    async def find(self, secret: str, cli: bool = False) -> Actor | None:
        if not secret:
            return None
        actor = self._known.get(_digest(secret)) or await self._desk.authenticate(secret)
        return replace(actor, via="cli") if actor is not None and cli and actor.kind is Kind.PERSON else actor


def source_actor(name: str) -> Actor:
    return Actor(name, Role.VIEWER, Kind.SOURCE, "api")


def _digest(secret: str) -> bytes:
    """Looked up by hash, so that the time of a comparison says nothing about the secret."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()
