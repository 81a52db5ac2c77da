from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.files.yamlfile import MAX_BYTES, Mistake, load, parse


def read(text: str) -> tuple[list[Any], list[str]]:
    mistakes: list[Mistake] = []
    documents = parse(text, Path("a.yaml"), "a.yaml", mistakes)
    return [document.data for document in documents], [str(mistake) for mistake in mistakes]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("on", "on"), ("Yes", "Yes"), ("off", "off"), ("true", True), ("False", False), ("null", None),
        ("~", None), ("", None), ("1:30", "1:30"), ("12", 12), ("-12", -12), ("010", 10), ("0o17", 15), ("0x1F", 31),
        ("1_000", "1_000"), ("0b11", "0b11"), ("2026-01-05", "2026-01-05"), ("0.10", Decimal("0.10")),
        ("1e3", Decimal("1e3")), (".5", Decimal(".5")), (".inf", ".inf"), ('"12"', "12"), ("'true'", "true"),
        ("!!str 12", "12"), ("<<", "<<"), ("=", "="),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    [data], mistakes = read(f"a: {text}\n")
    assert mistakes == []
    assert data["a"] == value
    assert type(data["a"]) is type(value)


def test_money_is_a_decimal_and_never_a_binary_float() -> None:
    [data], _ = read("a: 0.1\nb: 0.2\n")
    assert data["a"] + data["b"] == Decimal("0.3")


def test_a_place_has_the_line_of_its_key_or_item() -> None:
    [document] = parse("a: 1\nsteps:\n  - get: /\n    expect:\n      json: {x: 1}\n  - b\n", Path("x"), "x", [])
    assert document.line_of(("steps", 0, "expect", "json", "x")) == 5
    assert document.line_of(("steps", 0, "expect", "not there")) == 4
    assert document.line_of(("steps", 1)) == 6
    assert document.line_of(()) == 1


def test_a_file_holds_several_documents_and_empty_ones_are_left_out() -> None:
    data, mistakes = read("---\na: 1\n---\n---\nb: 2\n...\n")
    assert data == [{"a": 1}, {"b": 2}]
    assert mistakes == []


def test_a_grammar_mistake_leaves_the_documents_before_it() -> None:
    data, mistakes = read("a: 1\n---\nb: [1\n")
    assert data == [{"a": 1}]
    assert len(mistakes) == 1


def test_a_key_written_twice_keeps_the_first_value_and_is_a_mistake() -> None:
    data, mistakes = read("a: 1\nb: 2\na: 3\n")
    assert data == [{"a": 1, "b": 2}]
    assert mistakes == ['a.yaml:3: a: key "a" is written twice (first on line 1)']


def test_an_anchor_is_read_where_it_is_used() -> None:
    assert read("a: &x {k: [1]}\nb: *x\n") == ([{"a": {"k": [1]}, "b": {"k": [1]}}], [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &a [*a]\n", "a.yaml:1: *a contains itself"),
        ("[" * 5000, "a.yaml:1: is nested more than 64 levels deep"),
        ("- " * 5000, "a.yaml:1: is nested more than 64 levels deep"),
        ("a: !!binary aGk=\n", "a.yaml:1: tag tag:yaml.org,2002:binary is not allowed (plain values only)"),
        ("? {a: b}\n: c\nd: e\n", "a.yaml:1: a key must be text"),
        ("a: @b\n", 'a.yaml:1: text cannot start with "@" here (put it in quotes)'),
        ("a: {b: c\nd: e\n", "a.yaml:2: is not YAML: did not find expected ',' or '}' while parsing a flow mapping"),
    ],
)
def test_hostile_and_broken_text_ends_as_one_mistake(text: str, problem: str) -> None:
    _, mistakes = read(text)
    assert [mistake.split(" (it begins")[0] for mistake in mistakes] == [problem]


def test_front_matter_counts_lines_from_the_top_of_its_file() -> None:
    mistakes: list[Mistake] = []
    [document] = parse("a: 1\na: 2\n", Path("x.md"), "x.md", mistakes, line_offset=1)
    assert document.line_of(("a",)) == 2
    assert mistakes[0].line == 3


def test_a_file_over_a_mebibyte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"a: " + b"x" * MAX_BYTES)
    mistakes: list[Mistake] = []
    assert load(path, mistakes, tmp_path) == []
    assert str(mistakes[0]) == "big.yaml:1: is larger than 1 MiB (split it into several files)"


def test_a_folder_or_a_dangling_link_in_place_of_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").mkdir()
    (tmp_path / "b.yaml").symlink_to(tmp_path / "nowhere")
    mistakes: list[Mistake] = []
    load(tmp_path / "a.yaml", mistakes, tmp_path)
    load(tmp_path / "b.yaml", mistakes, tmp_path)
    assert [str(mistake) for mistake in mistakes] == [
        "a.yaml:1: cannot be read: Is a directory",
        "b.yaml:1: cannot be read: No such file or directory",
    ]


def test_a_byte_order_mark_and_windows_line_ends_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: x\r\n")
    assert [document.data for document in load(path, [])] == [{"a": 1, "b": "x"}]


@given(st.text(max_size=80))
def test_no_text_brings_the_reader_down(text: str) -> None:
    read(text)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@` \n\t#?,0.~", max_size=60))
def test_no_punctuation_brings_the_reader_down(text: str) -> None:
    read(text)
