from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.history import shapes
from tests.incident.history.conftest import result

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
STEP = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("name", "outcome", "reason", "status", "attempts", "phases", "duration_s"), ANYTHING),
)


@given(st.floats(1e-6, 1e6))
def test_a_duration_is_kept_to_two_percent(seconds: float) -> None:
    assert shapes.duration(shapes.quantized(seconds)) == pytest.approx(seconds, rel=0.02)


def test_a_result_comes_back_without_its_evidence_and_with_its_durations_to_two_percent() -> None:
    whole = result("a", outcome="down")
    again = shapes.put_together(*shapes.take_apart(whole))
    assert again["outcome"] == "down"
    assert again["account"] == "buyer"
    assert [step["name"] for step in again["steps"]] == ["open", "pay"]
    assert again["duration_s"] == pytest.approx(0.25, rel=0.025)
    assert again["steps"][1]["duration_s"] == pytest.approx(0.125, rel=0.025)
    assert again["steps"][1]["reason"] == "status"
    assert again["steps"][1]["seen"] is None
    assert again["steps"][1]["phases"]["processing"] == pytest.approx(0.1125, rel=0.065)


def test_runs_that_differ_only_in_numbers_share_a_shape() -> None:
    one, other = (shapes.take_apart(result(run, seconds=seconds))[0] for run, seconds in (("a", 0.1), ("b", 7.0)))
    assert shapes.text_of(one) == shapes.text_of(other)


@given(st.lists(ANYTHING | STEP, max_size=3) | ANYTHING, ANYTHING, ANYTHING)
def test_whatever_a_prober_sends_as_steps_does_no_harm(steps: Any, labels: Any, account: Any) -> None:
    whole = {**result("a"), "steps": steps, "cleanup": steps, "labels": labels, "account": account}
    shape, numbers = shapes.take_apart(whole)
    again = shapes.put_together(shape, numbers)
    assert shapes.take_apart(again)[0].keys() == shape.keys()
    shapes.text_of(shape)
    shapes.failing_step(shape)
