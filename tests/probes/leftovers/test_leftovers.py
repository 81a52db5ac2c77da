"""What counts as undone, and when it is tried again: decided without a clock or a shop."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.language.journey import Journey
from probes.running.ledger import Entry
from probes.running.leftovers import LONGEST_WAIT, SETTLING, Cleaned, after, due_after, is_due, obstacle, trouble

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ORDER = frozenset({"order"})
CART = frozenset({"cart"})


def entry(state: str = "created", **keys: Any) -> Entry:
    return Entry("e1", NOW.isoformat(), "run-1", "checkout", "place the order", state, since=NOW.isoformat(), **keys)


def journey(**keys: Any) -> Journey:
    return Journey.model_validate(
        {
            "journey": "checkout",
            "service": "checkout",
            "every": "30s",
            "base": "https://shop.example",
            "steps": [
                {"name": "place the order", "post": "/", "creates": "{{ order }}", "save": {"order": {"json": "$.id"}}}
            ],
            "cleanup": [{"post": "/orders/{{ order }}/cancel"}],
        }
        | keys
    )


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        pytest.param([Cleaned(ORDER)], False, id="what speaks of it was done"),
        pytest.param([Cleaned(ORDER, failed="cancel: status")], True, id="it failed"),
        pytest.param([Cleaned(ORDER), Cleaned(CART, failed="cart: status")], True, id="something failed"),
        pytest.param([Cleaned(ORDER, missing=ORDER)], True, id="its own value never came"),
        pytest.param([Cleaned(ORDER), Cleaned(CART, missing=CART)], False, id="something else's value never came"),
        pytest.param([Cleaned(frozenset()), Cleaned(CART, missing=CART)], True, id="nobody speaks of it"),
        pytest.param([Cleaned(frozenset())], False, id="it is undone by other means"),
        pytest.param([], True, id="nothing was done"),
    ],
)
def test_a_thing_is_undone_when_all_that_has_to_do_with_it_was_done(steps: list[Cleaned], left: bool) -> None:
    assert (trouble(ORDER, steps) is not None) is left


def test_what_was_made_for_certain_is_undone_at_once() -> None:
    state, changes = after(entry(), ORDER, [Cleaned(ORDER)], began=NOW, now=NOW)
    assert (state, changes["due"], changes["attempts"]) == ("undone", None, 1)


@pytest.mark.parametrize("unsure", ["intent", "unknown"])
def test_a_request_without_an_answer_is_looked_for_again_once_the_shop_must_be_done_with_it(unsure: str) -> None:
    early = after(entry(unsure), ORDER, [Cleaned(ORDER)], began=NOW + SETTLING / 2, now=NOW + SETTLING)
    assert (early[0], early[1]["due"]) == ("unknown", (NOW + SETTLING).isoformat())
    late = after(entry(unsure), ORDER, [Cleaned(ORDER)], began=NOW + SETTLING, now=NOW + 2 * SETTLING)
    assert late[0] == "undone"
    answered = after(entry(unsure, answered=True), ORDER, [Cleaned(ORDER)], began=NOW, now=NOW)
    assert answered[0] == "undone"


def test_a_failed_cleanup_is_tried_again_later_and_says_why() -> None:
    state, changes = after(entry(attempts=2), ORDER, [Cleaned(ORDER, failed="cancel: status")], began=NOW, now=NOW)
    assert (state, changes["attempts"], changes["detail"]) == ("failed", 3, "cancel: status")
    assert changes["due"] == (NOW + timedelta(seconds=40)).isoformat()
    assert after(entry("unknown"), ORDER, [Cleaned(ORDER, failed="x")], began=NOW, now=NOW)[0] == "unknown"


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e9))
def test_pauses_grow_up_to_an_hour_and_no_sooner_than_the_shop_asks(attempts: int, asked: float | None) -> None:
    wait = due_after(attempts, NOW, asked) - NOW
    assert due_after(attempts, NOW) <= due_after(attempts + 1, NOW) <= NOW + LONGEST_WAIT
    assert wait >= min(timedelta(seconds=asked or 0), timedelta(days=1))


def test_what_has_no_next_attempt_yet_is_due_and_what_is_settled_never_is() -> None:
    assert is_due(entry(), NOW)
    assert is_due(entry(due=NOW.isoformat()), NOW)
    assert not is_due(entry(due=(NOW + timedelta(seconds=1)).isoformat()), NOW)
    assert not any(is_due(entry(state), NOW) for state in ("void", "undone", "dismissed"))


@pytest.mark.parametrize(
    ("one", "now", "words"),
    [
        (entry(saved={"order": "7"}), journey(), None),
        (entry(kept=("order",)), journey(), None),
        (entry(), journey(), "needs order, which never came"),
        (entry("intent"), journey(cleanup=[{"post": "/cancel-last"}]), None),
        (entry(saved={"order": "7"}), journey(journey="other"), "no longer in this workspace"),
        (entry(saved={"order": "7"}), journey(cleanup=[]), "has no cleanup"),
        (entry(saved={"order": "7"}, account="gone@x"), journey(), "account gone@x is no longer"),
        (
            entry(),
            journey(
                cleanup=[
                    {"get": "/orders?ref={{ run_id }}", "save": {"order": {"json": "$.id", "default": 0}}},
                    {"when": "{{ order > 0 }}", "post": "/orders/{{ order }}/cancel"},
                ]
            ),
            None,
        ),
    ],
    ids=["saved", "kept", "never came", "needs nothing", "gone", "no cleanup", "account", "looks it up"],
)
def test_what_cannot_be_undone_says_why_without_asking_the_shop(one: Entry, now: Journey, words: str | None) -> None:
    why = obstacle(one, {now.name: now})
    assert why is None if words is None else words in (why or "")


def test_a_step_that_has_another_name_now_is_judged_by_all_of_the_cleanup() -> None:
    renamed = replace(entry(), step="buy")
    assert "needs order" in (obstacle(renamed, {"checkout": journey()}) or "")
