"""How deep a run writes into the shop, and what keeps it from going deeper."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from probes.files.settings import Mutates
from probes.language.journey import AlertRule, Journey
from probes.language.levels import level_of
from probes.prober.rules import JourneyState, judge, not_before, says_nothing
from probes.result import HeldBack, Outcome, Reason, Result, Step
from probes.running.context import RunContext
from probes.running.runner import run_journey
from tests.probes.shop import Reply, Shop, as_json
from tests.probes.walks import states

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SIGN_IN = {"post": "/login", "form": {"user": "{{ account.user }}", "password": "{{ account.password }}"}}
BASKET = {"post": "/cart", "json": {"sku": "BOOK-1"}}
ORDER = {"post": "/orders", "creates": "{{ order }}", "save": {"order": {"json": "$.id"}}}


def journey(*steps: dict[str, Any], mutates: str = "order") -> Journey:
    return Journey.model_validate(
        {"journey": "j", "service": "s", "every": "30s", "base": "https://shop.example", "mutates": mutates}
        | {"steps": list(steps)}
    )


@pytest.mark.parametrize(
    ("steps", "mutates", "levels"),
    [
        ([SIGN_IN, BASKET, ORDER, {"get": "/"}], "order", ["none", "cart", "order", "none"]),
        ([BASKET, {"post": "/pay", "mutates": "authorize"}, ORDER], "order", ["cart", "authorize", "order"]),
        ([SIGN_IN, BASKET, {"post": "/orders"}], "order", ["none", "order", "order"]),
        ([BASKET, {"post": "/orders", "mutates": "order"}], "order", ["cart", "order"]),
        ([BASKET, ORDER], "cart", ["cart", "cart"]),
        ([BASKET, {"submit": "#f"}], "none", ["none", "none"]),
        ([ORDER], "none", ["order"]),
        ([{"check": "{{ 1 }}"}, {"head": "/"}, ORDER], "authorize", ["none", "none", "authorize"]),
    ],
    ids=["known by creates", "said", "not known", "known by mutates", "cart", "none", "creates all the same", "reads"],
)
def test_a_step_has_a_level_by_what_it_says_or_does(
    steps: list[dict[str, Any]], mutates: str, levels: list[str]
) -> None:
    made = journey(*steps, mutates=mutates)
    assert [level_of(step, made) for step in made.steps] == levels


def test_a_step_cannot_go_deeper_than_its_journey() -> None:
    with pytest.raises(ValidationError, match="goes deeper than the journey, which says mutates: cart"):
        journey({"post": "/orders", "mutates": "order"}, mutates="cart")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("limit", "sent", "held"),
    [("order", 3, None), ("cart", 2, "order"), ("none", 1, "cart")],
    ids=["order", "cart", "none"],
)
async def test_what_goes_deeper_than_the_limit_is_not_sent_and_is_no_failure(
    shop: Shop, context: RunContext, limit: Mutates, sent: int, held: str | None
) -> None:
    for path in ("/login", "/cart", "/late"):
        shop.pages[path] = lambda _: Reply("ok")
    shop.pages["/orders"] = lambda _: as_json({"id": 7})
    context.mutates = limit
    after = {"get": "/orders/{{ order }}", "when": "{{ false }}"}
    accounts = [{"user": "u", "password": "p"}]
    steps: list[dict[str, Any]] = [
        SIGN_IN,
        BASKET,
        {"post": "/skipped", "when": "{{ false }}", "mutates": "order"},
        ORDER,
        after,
    ]
    result = await run_journey(shop.journey(*steps, mutates="order", accounts=accounts), context)
    assert result.outcome is Outcome.UP
    assert len(shop.requests) == sent
    assert (result.held_back and result.held_back.mutates) == held
    assert result.to_json()["held_back"] == (
        None if held is None else {"step": result.held_back.step, "mutates": held, "limit": limit}  # type: ignore[union-attr]
    )
    assert [step.outcome for step in result.steps[-2:]] == [Outcome.UP if held is None else "skipped", "skipped"]


@pytest.mark.anyio
async def test_cleanup_undoes_whatever_the_limit_is(shop: Shop, context: RunContext) -> None:
    shop.pages["POST /cart"] = lambda _: Reply("ok")
    shop.pages["DELETE /cart"] = lambda _: Reply("gone")
    context.mutates = "cart"
    made = shop.journey(BASKET | {"creates": "cart"}, mutates="cart", cleanup=[{"delete": "/cart"}])
    result = await run_journey(made, context)
    assert [step.outcome for step in result.cleanup] == [Outcome.UP]
    assert states(context) == ["intent", "created", "undone"]


def result(*outcomes: Outcome, held: bool) -> Result:
    steps = [Step(name, "s", outcome) for name, outcome in zip(("cart", "order"), outcomes, strict=True)]
    worst = Outcome.DOWN if Outcome.DOWN in outcomes else Outcome.UP
    for step in steps:
        step.reason = Reason.STATUS if step.outcome is Outcome.DOWN else None
    back = HeldBack("order", "order", "cart") if held else None
    return Result("j", "s", "r", worst, NOW, 1.0, steps, held_back=back)


def test_a_run_that_was_held_back_before_the_failing_step_does_not_end_the_alert() -> None:
    state = JourneyState()
    for _ in range(2):
        state, _, _ = judge(AlertRule(), state, result(Outcome.UP, Outcome.DOWN, held=False), NOW)
    assert state.firing
    held = result(Outcome.UP, Outcome.SKIPPED, held=True)
    assert says_nothing(state, held)
    assert not says_nothing(state, result(Outcome.UP, Outcome.UP, held=False))
    assert not says_nothing(JourneyState(), held)
    assert not says_nothing(state, result(Outcome.DOWN, Outcome.SKIPPED, held=True))
    in_the_cart = replace(state.firing[0], annotations={"step": "cart"})
    assert not says_nothing(replace(state, down=in_the_cart), held)


@pytest.mark.parametrize(
    ("sooner", "asked", "wait"),
    [(3.0, None, 3.0), (3.0, 1.0, 3.0), (3.0, 10.0, 10.0), (3.0, 60.0, None), (None, 9, None)],
)
def test_the_confirming_run_waits_as_long_as_the_shop_asks(
    sooner: float | None, asked: float | None, wait: float | None
) -> None:
    assert not_before(sooner, asked, every=30.0) == wait


@pytest.mark.anyio
async def test_a_run_that_was_turned_away_says_for_how_long(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("busy", 429, [("Retry-After", "120")])
    assert (await run_journey(shop.journey({"get": "/"}), context)).retry_after_s == 120
    shop.pages["/"] = lambda _: Reply("well")
    assert (await run_journey(shop.journey({"get": "/"}), context)).retry_after_s is None
