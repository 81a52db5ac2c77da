"""What results may say that they measured, and what is made of it."""

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from incident.store import measured
from incident.store.tables import metadata
from tests.incident.conftest import START

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=120), inner, max_size=30),
    max_leaves=30,
)


@given(ANYTHING)
def test_whatever_comes_few_names_and_finite_numbers_from_zero_on_are_left(value: Any) -> None:
    found = measured.sound(value)
    assert len(found) <= 20
    for name, number in found.items():
        assert 0 < len(name) <= 100 and name.isprintable()
        assert isinstance(number, float) and math.isfinite(number) and number >= 0
        assert number == value[name]


def row(minutes: float, number: float) -> dict[str, Any]:
    at = START + timedelta(minutes=minutes)
    return {"journey": "order-rate", "started_at": at, "result": {"measured": {"orders": number}}}


@pytest.mark.parametrize(
    ("numbers", "moments", "usual"),
    [
        pytest.param({}, [0], None, id="nothing was measured"),
        pytest.param({0: 7}, [], None, id="nobody asks"),
        pytest.param({0: 7}, [0], 7, id="just now"),
        pytest.param({0: 7}, [64], 7, id="an hour ago"),
        pytest.param({0: 7}, [66], None, id="longer ago"),
        pytest.param({60: 7}, [0], None, id="later"),
        pytest.param({0: 7, 30: 0}, [31], 7, id="of two the upper one"),
        pytest.param({n: 9 if n < 35 else 0 for n in range(65)}, [64], 9, id="half an hour of nothing"),
        pytest.param({n: 9 if n < 25 else 0 for n in range(65)}, [64], 0, id="most of an hour of nothing"),
        pytest.param({n: 9 if n < 60 else 0 for n in range(200)}, [60, 199], 9, id="the highest of several hours"),
        pytest.param({n: n % 5 for n in range(60)}, [59], 4, id="of five minutes the highest"),
    ],
)
def test_what_is_usual_in_an_hour(numbers: dict[int, float], moments: list[int], usual: float | None) -> None:
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            metadata.create_all(connection)
            now = START + timedelta(days=1)
            rows = [row(minute, number) for minute, number in numbers.items()]
            measured.keep(connection, rows, {("order-rate", "orders")}, now)
            asked = [START + timedelta(minutes=minute) for minute in moments]
            assert measured.usual(connection, "order-rate", "orders", asked) == usual
            assert measured.usual(connection, "order-rate", "visits", asked) is None
    finally:
        engine.dispose()
