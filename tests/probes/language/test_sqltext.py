"""Templates in SQL: always one value, whatever text they bring in."""

import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.files.secrets import Environment
from probes.language.sqltext import SqlTemplate
from probes.language.templates import TemplateFailed


def asked(statement: str, **values: Any) -> Any:
    connection = sqlite3.connect(":memory:")
    try:
        return connection.execute(SqlTemplate(statement).text(values)).fetchone()[0]
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (5, "5"),
        (-5, "(-5)"),
        (Decimal("-2.50"), "(-2.50)"),
        (True, "true"),
        (None, "NULL"),
        ("it's", "'it''s'"),
        ([1, "a"], "1, 'a'"),
        ([], "NULL"),
        (datetime(2026, 1, 31, 13, tzinfo=UTC), "'2026-01-31 13:00:00'"),
        ({"a": 1}, "'{\"a\": 1}'"),
    ],
    ids=str,
)
def test_a_value_is_one_literal(value: Any, literal: str) -> None:
    assert SqlTemplate("select {{ v }}").text({"v": value}) == f"select {literal}"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_no_text_leaves_its_place(text: str) -> None:
    assert asked("select {{ v }}", v=text) == text
    assert asked("select '{{ v }}'", v=text) == text
    assert asked("select '<{{ v }}>' -- a note", v=text) == f"<{text}>"


def test_inside_quotes_a_template_is_a_part_of_the_text() -> None:
    assert asked("select 'it''s {{ a }} and {{ b | default(\"none\") }}'", a=1) == "it's 1 and none"


def test_a_statement_without_templates_stays_as_it_is() -> None:
    statement = "-- one of ours; really\nselect ';' /* ; */ from a;"
    assert SqlTemplate(statement).text({}) == statement


def test_text_that_sql_cannot_hold_fails() -> None:
    with pytest.raises(TemplateFailed, match="NUL"):
        SqlTemplate("select {{ v }}").text({"v": "a\0b"})


def test_what_the_environment_brings_in_is_no_template() -> None:
    resolve = Environment({"TABLE": "orders", "EVIL": "{{ x }}"}).resolve
    assert SqlTemplate(resolve("select {{ a }} from ${TABLE}")).text({"a": 1}) == "select 1 from orders"
    with pytest.raises(ValueError, match="cannot hold"):
        SqlTemplate(resolve("select ${EVIL}"))


@pytest.mark.parametrize(
    "statement",
    [
        "select 1; drop table a",
        "update a set b = 1",
        "pragma user_version",
        "select 1;;select 2",
        "/* x */ delete from a",
    ],
)
def test_only_one_query_is_asked(statement: str) -> None:
    with pytest.raises(ValueError, match="sql"):
        SqlTemplate(statement)


@pytest.mark.parametrize(
    "statement", ["  SELECT 1 ;\n-- end", "(select 1)", "with a as (select 1) select 2", "values (1)"]
)
def test_queries_are_known_by_their_first_word(statement: str) -> None:
    assert SqlTemplate(statement).constant
