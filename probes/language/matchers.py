"""Matchers: what a value must be. Parsed once, at load; judged at every run.

The operand decides how it is compared: text as text, numbers as decimals (text that is wholly a number counts as one),
true and false as themselves or their words, null as JSON's null, lists and mappings as wholes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from probes.duration import format_duration, parse_duration
from probes.language.templates import TemplateFailed, Tree
from probes.language.values import MISSING, describe, dump_json, to_instant, to_number, to_text
from probes.regex import BadRegex, compile_regex

SEEN_LIMIT = 2000  # characters of what is shown of a value


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What was expected and what was seen, as texts for the user (secrets not yet masked)."""

    expected: str
    seen: str


@dataclass(frozen=True, slots=True)
class _Sight:
    """What a matcher looks at: the first node (or MISSING), how many nodes there are, and the instant."""

    value: Any
    count: int
    now: datetime


@dataclass(frozen=True, slots=True)
class _Operator:
    """`prepare` makes of the operand what `holds` compares with; raises ValueError with a text for the user."""

    prepare: Callable[[Any], Any]
    holds: Callable[[_Sight, Any], bool]
    phrase: Callable[[Any], str]
    seen: Callable[[_Sight], str]


def same(seen: Any, wanted: Any) -> bool:
    """Whether a value is what a plain operand means."""
    if wanted is None or seen is None or seen is MISSING:
        return wanted is None and seen is None
    if isinstance(wanted, bool):
        return seen is wanted or (isinstance(seen, str) and seen.strip() == to_text(wanted))
    if isinstance(wanted, int | float | Decimal):
        return to_number(seen) == to_number(wanted)
    if isinstance(wanted, str):
        return isinstance(seen, str) and seen == wanted
    try:
        return bool(seen == wanted)
    except RecursionError:
        return False


def _anywhere(seen: Any) -> str | None:
    """The text in which `contains` and `matches` look; None where there is none."""
    if seen is MISSING or seen is None:
        return None
    return dump_json(seen) if isinstance(seen, dict | list) else to_text(seen)


def _contains(sight: _Sight, wanted: Any) -> bool:
    if isinstance(sight.value, list):
        return any(same(item, wanted) for item in sight.value)
    text = _anywhere(sight.value)
    return text is not None and to_text(wanted) in text


def _matches(sight: _Sight, wanted: str) -> bool:
    text = _anywhere(sight.value)
    return text is not None and compile_regex(wanted).search(text) is not None


def _newer(sight: _Sight, age: float) -> bool:
    instant = to_instant(sight.value)
    return instant is not None and sight.now - instant < timedelta(seconds=age)


def _seen_age(sight: _Sight) -> str:
    instant = to_instant(sight.value)
    if instant is None:
        return _seen(sight)
    age = (sight.now - instant).total_seconds()
    ago = f"{format_duration(round(age))} ago" if age >= 0 else f"in {format_duration(round(-age))}"
    return f"{describe(sight.value)} ({ago})"


def _seen(sight: _Sight) -> str:
    return describe(sight.value, SEEN_LIMIT)


def _number(operand: Any) -> Decimal:
    number = to_number(operand)
    if number is None:
        raise ValueError(f"{describe(operand)} is no number to compare with")
    return number


def _list(operand: Any) -> list[Any]:
    if not isinstance(operand, list) or not operand:
        raise ValueError(f"in needs a list of values, not {describe(operand)}")
    return operand


def _scalar(operand: Any) -> Any:
    if operand is None or isinstance(operand, dict | list) or operand == "":
        raise ValueError("contains needs a text to look for")
    return operand


def _regex(operand: Any) -> str:
    if not isinstance(operand, str):
        raise ValueError("matches needs a regex, as text")
    compile_regex(operand)
    return operand


def _duration(operand: Any) -> float:
    seconds = parse_duration(operand)
    if seconds <= 0:
        raise ValueError("newer_than needs a time longer than 0")
    return seconds


def _truth(operand: Any) -> bool:
    if not isinstance(operand, bool):
        raise ValueError("present and absent stand alone, or say true")
    return operand


def _found(sight: _Sight, wanted: bool) -> bool:
    return (sight.value is not MISSING) == wanted


def _compare(symbol: str, test: Callable[[Decimal, Decimal], bool]) -> _Operator:
    def holds(sight: _Sight, wanted: Decimal) -> bool:
        number = to_number(sight.value)
        return number is not None and test(number, wanted)

    return _Operator(_number, holds, lambda wanted: f"{symbol} {to_text(wanted)}", _seen)


def _plain(operand: Any) -> Any:
    return operand


_OPERATORS: dict[str, _Operator] = {
    "equals": _Operator(_plain, lambda sight, wanted: same(sight.value, wanted), describe, _seen),
    "not": _Operator(
        _plain,
        lambda sight, wanted: sight.value is not MISSING and not same(sight.value, wanted),
        lambda wanted: f"not {describe(wanted)}",
        _seen,
    ),
    "gt": _compare(">", lambda number, wanted: number > wanted),
    "gte": _compare(">=", lambda number, wanted: number >= wanted),
    "lt": _compare("<", lambda number, wanted: number < wanted),
    "lte": _compare("<=", lambda number, wanted: number <= wanted),
    "in": _Operator(
        _list,
        lambda sight, wanted: any(same(sight.value, item) for item in wanted),
        lambda wanted: f"one of {describe(wanted)}",
        _seen,
    ),
    "contains": _Operator(_scalar, _contains, lambda wanted: f"contains {describe(wanted)}", _seen),
    "matches": _Operator(_regex, _matches, lambda wanted: f"matches {wanted}", _seen),
    "newer_than": _Operator(_duration, _newer, lambda age: f"newer than {format_duration(age)}", _seen_age),
    "present": _Operator(_truth, _found, lambda wanted: "present" if wanted else "absent", _seen),
    "absent": _Operator(
        _truth,
        lambda sight, wanted: _found(sight, not wanted),
        lambda wanted: "absent" if wanted else "present",
        _seen,
    ),
}
NAMES = (*_OPERATORS, "count")


class _Condition:
    """One operator with its operand, which may hold templates."""

    __slots__ = ("_operand", "_operator", "_prepared", "name", "tree")

    def __init__(self, name: str, operand: Any) -> None:
        self.name = name
        self._operator = _OPERATORS[name]
        self.tree = Tree(operand)
        self._prepared = self._operator.prepare(operand) if self.tree.constant else None

    def judge(self, sight: _Sight, context: Mapping[str, Any]) -> Mismatch | None:
        prepared = self._prepared if self.tree.constant else self._render(context)
        if self._operator.holds(sight, prepared):
            return None
        return Mismatch(self._operator.phrase(prepared), self._operator.seen(sight))

    def _render(self, context: Mapping[str, Any]) -> Any:
        value = self.tree.render(context)
        try:
            return self._operator.prepare(value)
        except (ValueError, BadRegex) as error:
            raise TemplateFailed(f"{self.name}: {error}") from None


class Matcher:
    """A plain value, `present`, `absent`, or a mapping of operators (all of them must hold).

    `required`: the names that its templates need.
    """

    __slots__ = ("_conditions", "_count", "required", "source")

    def __init__(self, source: Any) -> None:
        """Raises ValueError with a text for the user."""
        self.source = source
        self._count: Matcher | None = None
        operators = _operators(source)
        if "count" in operators:
            self._count = _count_matcher(operators.pop("count"))
        self._conditions = tuple(_Condition(name, operand) for name, operand in operators.items())
        self.required: frozenset[str] = frozenset().union(*(item.tree.required for item in self._conditions))

    def __repr__(self) -> str:
        return f"Matcher({self.source!r})"

    def __reduce__(self) -> Any:
        return type(self), (self.source,)

    def judge(self, value: Any, count: int, context: Mapping[str, Any], now: datetime) -> Mismatch | None:
        """`value`: the first node, or MISSING; `count`: how many nodes there are. None where all of it holds.

        Raises TemplateFailed.
        """
        if self._count is not None and (wrong := self._count.judge(count, 1, context, now)):
            return Mismatch(f"count {wrong.expected}", f"count {wrong.seen}")
        if self._conditions:
            sight = _Sight(value, count, now)
            for condition in self._conditions:
                if wrong := condition.judge(sight, context):
                    return wrong
        return None


def _operators(source: Any) -> dict[str, Any]:
    if isinstance(source, str) and source in ("present", "absent"):
        return {str(source): True}
    if not isinstance(source, dict):
        return {"equals": source}
    if not source:
        raise ValueError(f"an empty matcher: say a value, present, absent, or one of {', '.join(NAMES)}")
    for name in source:
        if name not in NAMES:
            raise ValueError(f"{name!r} is no matcher: use one of {', '.join(NAMES)}{_did_you_mean(name)}")
    return dict(source)


def _did_you_mean(name: Any) -> str:
    signs = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "==": "equals", "=": "equals", "!=": "not", "eq": "equals"}
    others = {"ne": "not", "equal": "equals", "regex": "matches", "match": "matches", "exists": "present"}
    close = {**signs, **others}.get(str(name))
    return f" (did you mean {close}?)" if close else ""


def _count_matcher(operand: Any) -> Matcher:
    if isinstance(operand, dict) or (isinstance(operand, str) and "{{" in operand):
        return Matcher(operand)
    number = to_number(operand)
    if number is None or number < 0 or number % 1:
        raise ValueError("count needs a whole number, or a matcher such as {gt: 2}")
    return Matcher(number)


class StatusMatcher(Matcher):
    """A status, a class such as `2xx`, a list of them, or any matcher."""

    __slots__ = ("_classes", "_codes")

    def __init__(self, source: Any) -> None:
        """Raises ValueError with a text for the user."""
        self._codes: frozenset[int] = frozenset()
        self._classes: frozenset[int] = frozenset()
        if isinstance(source, dict) or (isinstance(source, str) and "{{" in source):
            super().__init__(source)
            return
        entries = source if isinstance(source, list) else [source]
        if not entries:
            raise ValueError("status needs a value, a list, or a class such as 2xx")
        super().__init__({"in": entries})
        self.source = source
        self._codes = frozenset(code for code in map(_status_code, entries) if code >= 100)
        self._classes = frozenset(code for code in map(_status_code, entries) if code < 100)

    def judge(self, value: Any, count: int, context: Mapping[str, Any], now: datetime) -> Mismatch | None:
        if not self._codes and not self._classes:
            return super().judge(value, count, context, now)
        if value in self._codes or value // 100 in self._classes:
            return None
        return Mismatch(_status_text(self.source), str(value))


def _status_code(entry: Any) -> int:
    """A status, or the first digit of a class."""
    text = str(entry).lower()
    if len(text) == 3 and not isinstance(entry, bool) and text[0] in "12345":
        if text[1:] == "xx":
            return int(text[0])
        if text.isascii() and text.isdigit():
            return int(text)
    raise ValueError(f"{describe(entry)} is no status: use a number from 100 to 599, or a class such as 2xx")


def _status_text(source: Any) -> str:
    return " or ".join(map(str, source)) if isinstance(source, list) else str(source)


def _matcher(value: Any) -> Matcher:
    return value if isinstance(value, Matcher) else Matcher(value)


def _status(value: Any) -> Matcher:
    return value if isinstance(value, Matcher) else StatusMatcher(value)


_SCHEMA = {
    "anyOf": [
        {"type": ["string", "number", "boolean", "null", "array"]},
        {"type": "object", "properties": {name: {} for name in NAMES}, "additionalProperties": False},
    ]
}
MatcherField = Annotated[Matcher, BeforeValidator(_matcher), WithJsonSchema(_SCHEMA)]
StatusField = Annotated[Matcher, BeforeValidator(_status), WithJsonSchema(_SCHEMA)]
