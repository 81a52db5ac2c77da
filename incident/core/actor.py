"""Who acts: a person, an outside source, or Shopwatch itself; and what a role is allowed."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from incident.errors import NotAllowed, Refused


class Role(IntEnum):
    """Each may do all that those before it may."""

    VIEWER = 0
    RESPONDER = 1
    COMMANDER = 2
    ADMIN = 3

    @classmethod
    def parse(cls, text: str) -> "Role":
        try:
            return cls[text.upper()]
        except KeyError:
            raise Refused(f"{text!r} is not a role: viewer, responder, commander or admin") from None

    def __str__(self) -> str:
        return self.name.lower()


class Kind(StrEnum):
    PERSON = "person"
    SOURCE = "source"  # may send alerts and results, and nothing else
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` is what the timeline shows. `via` is the mouth that spoke: cli, slack, web, api or engine."""

    name: str
    role: Role = Role.VIEWER
    kind: Kind = Kind.PERSON
    via: str = "api"

    def must_be(self, role: Role, to_do: str) -> None:
        """Raises NotAllowed unless the actor is a person (or the system) of at least this role."""
        if self.kind is Kind.SOURCE:
            raise NotAllowed(f"{self.name} is a source: it may send alerts, not {to_do}; use a person's token")
        if self.role < role:
            raise NotAllowed(f"{self.name} is a {self.role}: to {to_do} takes the role {role}")


SYSTEM = Actor("shopwatch", Role.ADMIN, Kind.SYSTEM, "engine")
