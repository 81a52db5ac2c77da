"""Alertmanager's label matchers: `service="payment"`, `alertname=~"Journey.*"`. For routes, runbooks, filters."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from probes.errors import ProbesError
from probes.regex import BadRegex, compile_regex

_SYNTAX = re.compile(
    r'\s*(?P<name>[^=!~"{}\s]+)\s*(?P<op>=~|!~|!=|=)\s*(?P<value>"(?:[^"\\]|\\.)*"|[^"\s][^"]*|)\s*', re.S
)


class BadMatcher(ProbesError, ValueError):
    """A matcher that cannot be read; the text says why."""


@dataclass(frozen=True)
class LabelMatcher:
    """One condition on one label. A missing label counts as "", and a regex is RE2 and matches the whole value."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True

    @cached_property
    def _regex(self) -> Any:
        return compile_regex(self.value) if self.is_regex else None

    def matches(self, labels: Mapping[str, str]) -> bool:
        text = labels.get(self.name, "")
        hit = self._regex.fullmatch(text) is not None if self.is_regex else text == self.value
        return hit == self.is_equal

    def __str__(self) -> str:
        op = ("=~" if self.is_equal else "!~") if self.is_regex else ("=" if self.is_equal else "!=")
        return f"{self.name}{op}{json.dumps(self.value, ensure_ascii=False)}"


def parse_matcher(text: str) -> LabelMatcher:
    """Reads `name=value`, `!=`, `=~` or `!~`; quotes around the value are optional. Raises BadMatcher."""
    found = _SYNTAX.fullmatch(text)
    if not found:
        raise BadMatcher(
            f'{text!r} is not a matcher: write name="value", name!="value", name=~"regex" or name!~"regex"'
        )
    value = found["value"].strip()
    if value.startswith('"'):
        try:
            value = json.loads(value, strict=False)
        except ValueError:
            raise BadMatcher(f"the quoted value in {text!r} has a bad escape") from None
    matcher = LabelMatcher(
        found["name"], value, is_regex=found["op"] in ("=~", "!~"), is_equal=found["op"] in ("=", "=~")
    )
    if matcher.is_regex:
        try:
            compile_regex(matcher.value)
        except BadRegex as error:
            raise BadMatcher(str(error)) from None
    return matcher


def all_match(matchers: Iterable[LabelMatcher], labels: Mapping[str, str]) -> bool:
    return all(matcher.matches(labels) for matcher in matchers)
