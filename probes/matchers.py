"""Matchers: what a value must be. Parsed once, at load; judged at every run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What was expected and what was seen, as texts for the user (not yet cut, not yet masked)."""

    expected: str
    seen: str


class Matcher:
    def __init__(self, source: Any) -> None:
        self.source = source

    def judge(self, value: Any, count: int, context: Mapping[str, Any], now: datetime) -> Mismatch | None:
        """`value`: the first node, or MISSING; `count`: how many nodes there are. None where it holds."""
        return None if value == self.source else Mismatch(str(self.source), str(value))


MatcherField = Annotated[Matcher, BeforeValidator(Matcher), WithJsonSchema({})]
StatusField = Annotated[Matcher, BeforeValidator(Matcher), WithJsonSchema({})]
