"""What an action is given, and how its arguments are read: text, words of a list, instants. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from incident.core.actor import Actor
from incident.core.alerts import readable
from incident.core.folding import Draft
from incident.core.model import Incident
from incident.errors import Refused

if TYPE_CHECKING:
    from incident.core.decide import Policy

MOST_TEXT = 10_000

Args = Mapping[str, Any]


@dataclass(frozen=True)
class Act:
    """One action about to be taken. `say` adds its event, with the actor and the mouth."""

    draft: Draft
    number: int
    actor: Actor
    args: Args
    policy: "Policy"

    @property
    def incident(self) -> Incident:
        return self.draft.incidents[self.number]

    def say(self, kind: str, text: str, /, **data: Any) -> None:
        self.say_of(self.number, kind, text, **data)

    def say_of(self, number: int, kind: str, text: str, /, **data: Any) -> None:
        """As `say`, of another incident that the action concerns."""
        self.draft.add(number, kind, text, {**data, "via": self.actor.via}, self.actor.name)


def said(args: Args, key: str = "text", required: bool = True) -> str:
    text = args.get(key)
    if text is None and not required:
        return ""
    if not isinstance(text, str) or (required and not text.strip()):
        raise Refused(f"{key} is missing: say something")
    if len(text) > MOST_TEXT:
        raise Refused(f"{key} has {len(text)} characters; {MOST_TEXT} is the most")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(f"{key} is not Unicode (a lone surrogate)") from None
    return text.strip().replace("\x00", "")


def one_of(args: Args, key: str, words: tuple[str, ...]) -> str:
    value = args.get(key)
    if value not in words:
        raise Refused(f"{key} should be one of {', '.join(words)}, not {readable(str(value))!r}")
    return str(value)


def flag(args: Args, key: str) -> bool:
    value = args.get(key, False)
    if not isinstance(value, bool):
        raise Refused(f"{key} should be true or false, not {readable(str(value))!r}")
    return value


def instant_text(value: Any) -> str:
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Refused(f"{readable(str(value))!r} is not a time: write one such as 2026-01-31T09:00:00+01:00") from None
    if instant.tzinfo is None:
        raise Refused(f"{value!r} does not say its time zone: write one such as 2026-01-31T09:00:00+01:00")
    return instant.isoformat()
