"""What holds and what does not, for every matcher; and what users read where it does not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from probes.language.matchers import Matcher, StatusMatcher
from probes.language.templates import TemplateFailed
from probes.language.values import MISSING

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def holds(matcher: Any, value: Any, count: int | None = None, context: dict[str, Any] | None = None) -> bool:
    nodes = (0 if value is MISSING else 1) if count is None else count
    return Matcher(matcher).judge(value, nodes, context or {}, NOW) is None


HOLD = [
    ("a", "a"),
    ("present", "anything"),
    ("present", None),
    ("absent", MISSING),
    (Decimal("49.9"), Decimal("49.90")),
    (49.9, Decimal("49.90")),
    (Decimal("49.9"), "49.90"),
    (3, " 3 "),
    (0, Decimal("0.00")),
    (None, None),
    (True, True),
    (True, "true"),
    ({"equals": "present"}, "present"),
    ({"equals": {"a": [1]}}, {"a": [Decimal("1.0")]}),
    ({"not": "a"}, "b"),
    ({"not": 1}, "one"),
    ({"not": None}, 0),
    ({"gt": 0}, "0.01"),
    ({"gt": "0"}, 1),
    ({"gte": 2, "lt": 3}, Decimal("2.999")),
    ({"lte": 2}, 2),
    ({"in": ["Shipped", "Delivered"]}, "Delivered"),
    ({"in": [1, 2]}, "2"),
    ({"contains": "BOOK"}, "a BOOK-1"),
    ({"contains": 5}, Decimal("4.50")),
    ({"contains": 2}, [1, 2]),
    ({"contains": "a"}, {"key": "value a"}),
    ({"matches": "BO+K"}, "a BOOK-1"),
    ({"matches": "^a.c$"}, "abc"),
    ({"matches": "[0-9]"}, 42),
    ({"newer_than": "10m"}, "2026-03-01T11:51:00Z"),
    ({"newer_than": "10m"}, "2026-03-01T11:51:00"),
    ({"newer_than": "10m"}, "2026-03-01T12:51:00+01:00"),
    ({"newer_than": "10m"}, int(NOW.timestamp()) - 60),
    ({"newer_than": "10m"}, str(int(NOW.timestamp()) - 60)),
    ({"newer_than": "10m"}, Decimal(int(NOW.timestamp()) - 60) * 1000),
    ({"present": True}, 1),
    ({"absent": True}, MISSING),
    ({"present": False}, MISSING),
]
FAIL = [
    ("a", "A"),
    ("1.0", "1.00"),
    ("5", 5),
    (1, "one"),
    (1, True),
    (True, 1),
    (None, "null"),
    (None, 0),
    ("", None),
    ("present", MISSING),
    ("absent", None),
    ("absent", ""),
    ({"gt": 0}, "abc"),
    ({"gt": 0}, "£5"),
    ({"gt": 0}, ""),
    ({"gt": 0}, None),
    ({"gt": 0}, True),
    ({"gt": 0}, "NaN"),
    ({"lt": 0}, "-Infinity"),
    ({"gte": 2, "lt": 3}, 3),
    ({"in": ["a"]}, "ab"),
    ({"contains": "x"}, None),
    ({"contains": "null"}, None),
    ({"matches": "^b"}, "a\nb"),
    ({"matches": "."}, None),
    ({"newer_than": "10m"}, "2026-03-01T11:49:00Z"),
    ({"newer_than": "10m"}, "yesterday"),
    ({"newer_than": "10m"}, None),
    ({"not": "a"}, "a"),
]


@pytest.mark.parametrize(("matcher", "value"), HOLD)
def test_it_holds(matcher: Any, value: Any) -> None:
    assert holds(matcher, value)


@pytest.mark.parametrize(("matcher", "value"), FAIL)
def test_it_fails(matcher: Any, value: Any) -> None:
    assert not holds(matcher, value)


@pytest.mark.parametrize("matcher", [matcher for matcher, value in HOLD if value is not MISSING])
def test_what_is_missing_fails_everything_but_absent(matcher: Any) -> None:
    assert not holds(matcher, MISSING)


@pytest.mark.parametrize(
    ("matcher", "count", "expected"), [(2, 2, True), ("2", 2, True), ({"gt": 2}, 2, False), (0, 0, True)]
)
def test_count_is_of_the_nodes(matcher: Any, count: int, expected: bool) -> None:
    assert holds({"count": matcher}, "first" if count else MISSING, count) is expected


def test_an_operand_may_be_a_template_and_keeps_its_type() -> None:
    context = {"total": Decimal("12.50"), "word": "a.b"}
    assert holds("{{ total }}", Decimal("12.5"), context=context)
    assert holds({"gt": "{{ total - 1 }}"}, "12", context=context)
    assert holds({"in": ["x", "{{ word }}"]}, "a.b", context=context)
    assert holds({"matches": "^{{ word }}$"}, "acb", context=context)


@pytest.mark.parametrize("matcher", [{"gt": "{{ word }}"}, {"matches": "{{ '(' }}"}, {"in": "{{ word }}"}])
def test_an_operand_that_turns_out_wrong_is_a_failing_template(matcher: Any) -> None:
    with pytest.raises(TemplateFailed):
        holds(matcher, "x", context={"word": "abc"})


@pytest.mark.parametrize(
    ("matcher", "words"),
    [
        ({"bigger": 1}, "'bigger' is no matcher"),
        ({">": 1}, "did you mean gt?"),
        ({}, "an empty matcher"),
        ({"gt": "abc"}, "is no number"),
        ({"gt": None}, "is no number"),
        ({"in": "abc"}, "in needs a list"),
        ({"in": []}, "in needs a list"),
        ({"matches": "(a"}, "bad regex"),
        ({"matches": "\ud800"}, "bad regex"),
        ({"matches": "a" * 10_001}, "at most 10000 characters"),
        ({"matches": "(?=a)"}, "RE2"),
        ({"newer_than": 10}, "is not a duration"),
        ({"newer_than": "0"}, "longer than 0"),
        ({"count": -1}, "whole number"),
        ({"count": "two"}, "whole number"),
        ({"count": 1.5}, "whole number"),
        ({"present": "yes"}, "say true"),
        ({"contains": ""}, "a text to look for"),
        ({"equals": "{{ a"}, "bad template"),
    ],
)
def test_a_matcher_that_cannot_be_is_told_when_it_is_read(matcher: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(").replace("?", r"\?")):
        Matcher(matcher)


@pytest.mark.parametrize(
    ("matcher", "value", "expected", "seen"),
    [
        ("a", "b", '"a"', '"b"'),
        ({"gt": 0}, Decimal("0.00"), "> 0", "0.00"),
        ({"in": ["a", "b"]}, None, 'one of ["a", "b"]', "null"),
        ("present", MISSING, "present", "nothing"),
        ({"not": 1}, 1, "not 1", "1"),
        ({"matches": "^a"}, "b", "matches ^a", '"b"'),
        ({"newer_than": "10m"}, "2026-03-01T10:00:00Z", "newer than 10m", '"2026-03-01T10:00:00Z" (2h ago)'),
    ],
)
def test_the_mismatch_says_what_was_expected_and_seen(matcher: Any, value: Any, expected: str, seen: str) -> None:
    mismatch = Matcher(matcher).judge(value, 1, {}, NOW)
    assert mismatch is not None
    assert (mismatch.expected, mismatch.seen) == (expected, seen)


@pytest.mark.parametrize(
    ("matcher", "status", "expected"),
    [
        (200, 200, True), ("200", 200, True), ([200, 201], 201, True), ("2xx", 204, True), (["2xx", 404], 404, True),
        ({"lt": 400}, 302, True), ("{{ wanted }}", 201, True),
        (200, 201, False), ("2xx", 302, False), ([200, 201], 500, False), ({"in": [200]}, 201, False),
    ],
)  # fmt: skip
def test_a_status_is_a_value_a_list_a_class_or_a_matcher(matcher: Any, status: int, expected: bool) -> None:
    assert (StatusMatcher(matcher).judge(status, 1, {"wanted": 201}, NOW) is None) is expected


@pytest.mark.parametrize("matcher", ["ok", 99, 600, "6xx", True, None, [], [200, "x"]])
def test_a_status_that_cannot_be_is_told_when_it_is_read(matcher: Any) -> None:
    with pytest.raises(ValueError, match="status"):
        StatusMatcher(matcher)


def test_a_large_text_is_searched_at_once() -> None:
    text = "a" * 1_000_000 + "b"
    started = datetime.now(UTC)
    assert holds({"contains": "ab", "matches": "(a+)+b"}, text)
    assert not holds("x", text)
    assert datetime.now(UTC) - started < timedelta(seconds=2)
