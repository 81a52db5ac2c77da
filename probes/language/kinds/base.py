"""What the keys of every kind of step are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from probes.duration import Duration
from probes.language.keys import Keys
from probes.language.templates import ConditionField

if TYPE_CHECKING:
    from probes.language.kinds import Step


class CommonKeys(Keys):
    """The keys that every step may have, whatever its kind."""

    title: str | None = Field(default=None, alias="name", min_length=1, max_length=200)
    service: str | None = None
    when: ConditionField | None = None
    timeout: Annotated[Duration, Field(gt=0)] | None = None


COMMON = frozenset({"name", "service", "when", "timeout"})
PAGE_SAVES = frozenset({"json", "html", "header", "cookie", "regex", "status"})
READING_KEYS = frozenset({"expect", "save", "until", "within", "poll"})
"""Of the kinds that read one value."""


@dataclass(frozen=True)
class Kind:
    """One kind of step. `verbs`: the keys that make a step one of this kind; `keys`: what it may say besides COMMON;
    `saves`: where its values to save can come from.

    `name_of` gives the default name of a step; `check` raises ValueError with a text for the user.
    """

    name: str
    verbs: tuple[str, ...]
    keys: frozenset[str]
    expectations: frozenset[str]
    name_of: "Callable[[Step], str]"
    saves: frozenset[str] = PAGE_SAVES
    check: "Callable[[Step], None] | None" = None
