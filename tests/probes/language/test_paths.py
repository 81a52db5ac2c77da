"""JSONPath: what is found, what is refused, what is bounded."""

import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.language.paths import check_path, find
from probes.language.values import describe, dump_json, parse_json

ORDER = {"id": 7, "lines": [{"sku": "A", "price": Decimal("0.1")}, {"sku": "B", "price": 2}], "note": None, "a b": 1}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", [ORDER]),
        ("$.id", [7]),
        ("$['a b']", [1]),
        ("$.note", [None]),
        ("$.lines[0].sku", ["A"]),
        ("$.lines[-1].sku", ["B"]),
        ("$.lines[5]", []),
        ("$.id.x", []),
        ("$.lines.sku", []),
        ("$.lines[*].sku", ["A", "B"]),
        ("$..sku", ["A", "B"]),
        ("$.lines[0:1].sku", ["A"]),
        ("$.lines[?@.price == 0.1].sku", ["A"]),
        ("$.lines[?@.price > 1].sku", ["B"]),
        ("$.lines[?search(@.sku, '[Bb]')].sku", ["B"]),
        ("$.lines[?match(@.sku, 'A|C')].sku", ["A"]),
        ("$.lines[?@.sku == $.lines[1].sku].price", [2]),
    ],
)
def test_what_a_path_finds(path: str, found: list[Any]) -> None:
    assert find(path, ORDER) == found


@pytest.mark.parametrize(
    "path", ["", "id", "$.", "$[", "$.a b", " $.a", "$.a | $.b", "$[?@.a", "$[?nope(@.a)]", "$." + "a" * 2000]
)
def test_a_bad_path_is_told(path: str) -> None:
    with pytest.raises(ValueError, match="JSONPath"):
        check_path(path)


@pytest.mark.parametrize("path", ["$..[?count($..*) > 1]", "$[?count(@..*) > 1]", "$[?@[?$[*]]]"])
def test_a_filter_that_searches_everything_for_each_node_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="could take minutes"):
        check_path(path)


@pytest.mark.by_the_clock
@pytest.mark.parametrize("path", ["$..*..*", "$..*", "$..b", "$[?@.a[?@.b > 3]]", "$[?search(@.a[3], '(a*)*b')]"])
def test_a_costly_path_on_a_large_document_is_bounded(path: str) -> None:
    document = [{"a": [1, 2, {"b": Decimal("3.5")}, "a" * 30]} for _ in range(60_000)]
    started = time.thread_time()
    try:
        find(path, document)
    except ValueError as error:
        assert "the path" in str(error)
    assert time.thread_time() - started < 2


def test_a_deep_document_is_refused_by_a_deep_path() -> None:
    document: list[Any] = []
    for _ in range(800):
        document = [document]
    with pytest.raises(ValueError, match="nested more than"):
        find("$..a", document)
    assert find("$[0][0]", document)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000, "[NaN]", "[1e999999999]", "9" * 10_000, "{"],
)
def test_json_that_is_none_or_made_to_hurt_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


def test_half_a_surrogate_pair_becomes_a_character_that_can_be_sent_on() -> None:
    document = parse_json(r'{"a\ud800": ["\udfff!", "\ud83d\ude00"], "b": {"c": "\uDABC"}}')
    assert document == {"a\ufffd": ["\ufffd!", "😀"], "b": {"c": "\ufffd"}}


def test_what_can_be_read_can_be_written_however_deep() -> None:
    text = "[" * 500 + "1" + "]" * 500
    assert dump_json(parse_json(text)) == text
    with pytest.raises(ValueError, match="deeply"):
        parse_json("[" + text + "]")


@pytest.mark.by_the_clock
def test_a_large_document_is_described_by_its_beginning_alone() -> None:
    document = {str(number): [number] for number in range(200_000)}
    started = time.thread_time()
    assert describe(document, 20) == '{"0": [0], "1": [1], …'.replace(", …", ", ")[:20] + " …"
    assert time.thread_time() - started < 0.05


def test_json_that_is_written_keeps_decimals_exactly() -> None:
    assert dump_json({"total": Decimal("49.90"), "n": [1, True, None, "é"]}) == (
        '{"total": 49.90, "n": [1, true, null, "é"]}'
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.decimals(-1000, 1000, places=3) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(JSON)
def test_json_survives_writing_and_reading(value: Any) -> None:
    assert parse_json(dump_json(value)) == value
