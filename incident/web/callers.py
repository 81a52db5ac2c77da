"""Who calls, by their token; and whether this machine's own programs may send alerts without one."""

from dataclasses import replace

from incident.core.actor import Actor, Kind, Role
from incident.desk import Desk


class Callers:
    """`neighbour` is the actor of a program on this machine, as long as it needs no token."""

    neighbour = Actor("loopback", Role.VIEWER, Kind.SOURCE)

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def open_to_loopback(self) -> bool:
        """Whether no source token is configured anywhere yet, neither in shopwatch.yaml nor in the database.

        Another process that makes the first one is noticed as soon as its token is. Raises StoreUnavailable.
        """
        return not await self._desk.tokens_kept.any_source()

    def signs(self, actor: Actor) -> bool:
        """Whether it is a source of which every word has to be signed."""
        source = self._desk.settings.intake.source(actor.name) if actor.kind is Kind.SOURCE else None
        return source is not None and source.hmac is not None

    async def find(self, secret: str, cli: bool = False) -> Actor | None:
        """`cli`: the caller says that it is the command line, for the timeline."""
        actor = await self._desk.authenticate(secret) if secret else None
        return replace(actor, via="cli") if actor is not None and cli and actor.kind is Kind.PERSON else actor
