"""Who calls, by their token; and whether this machine's own programs may send alerts without one."""

from dataclasses import replace

from incident.core.actor import Actor, Kind, Role
from incident.desk import Desk


class Callers:
    """`open_to_loopback`: no source token is configured anywhere yet, neither in shopwatch.yaml nor in the database.

    `neighbour` is the actor of a program on this machine that needs no token then.
    """

    neighbour = Actor("loopback", Role.VIEWER, Kind.SOURCE)

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.open_to_loopback = False

    async def refresh(self) -> None:
        """To be called at start, and whenever tokens were created or revoked."""
        stored = any(token["kind"] == Kind.SOURCE for token in await self._desk.tokens())
        self.open_to_loopback = not (stored or self._desk.settings.intake.sources)

    def signs(self, actor: Actor) -> bool:
        """Whether it is a source of which every word has to be signed."""
        source = self._desk.settings.intake.source(actor.name) if actor.kind is Kind.SOURCE else None
        return source is not None and source.hmac is not None

    async def find(self, secret: str, cli: bool = False) -> Actor | None:
        """`cli`: the caller says that it is the command line, for the timeline."""
        actor = await self._desk.authenticate(secret) if secret else None
        return replace(actor, via="cli") if actor is not None and cli and actor.kind is Kind.PERSON else actor
