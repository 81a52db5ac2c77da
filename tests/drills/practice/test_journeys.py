"""The shipped journeys against the practice shop: all well, and for each switch the right journey, step and reason."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import probes
from drills.practice.launch import Practice
from drills.practice.switches import SWITCHES
from probes.files.loading import load_file
from probes.files.mistakes import Mistake
from probes.files.secrets import Environment
from probes.language.journey import Journey
from probes.result import Outcome, Result
from probes.running.context import RunContext
from probes.running.ledger import Ledger
from probes.running.runner import run_journey

FOLDER = Path(probes.__file__).parent / "journeys"
HANG_TIMEOUT = 1.5  # seconds, instead of the journeys' own: a hang needs no longer to be one


@dataclass(frozen=True)
class Down:
    journey: str
    step: str
    service: str
    reason: str


SIGN_IN = ("sign in", "login", "status")
ADDRESS = ("give the address", "checkout", "header")
TOLD_APART: dict[str, tuple[object, list[Down]]] = {
    "signin_refuses": (True, [Down(name, *SIGN_IN) for name in ("login", "checkout", "payment", "logistics-sync")]),
    "session_lost": (True, [Down("checkout", *ADDRESS), Down("payment", *ADDRESS)]),
    "catalogue_empty": (True, [Down("catalogue", "open the catalogue", "catalog", "html")]),
    "wrong_total": (True, [Down("checkout", "the money adds up", "checkout", "value")]),
    "basket_loses_lines": (True, [Down("checkout", "the basket holds both", "cart", "html")]),
    "coupon_ignored": (True, [Down("checkout", "the coupon takes something off", "checkout", "value")]),
    "order_doubled": (True, [Down("checkout", "it was written once", "checkout", "json")]),
    "psp_declines": (True, [Down("payment", "pay", "payment", "status")]),
    "psp_delay": ("9s", [Down("payment", "pay", "payment", "status")]),
    "psp_errors": (True, [Down("payment", "pay", "payment", "status")]),
    "callback_lost": (True, [Down("payment", "the provider confirms the payment", "payment", "freshness")]),
    "carrier_frozen": (True, [Down("logistics-sync", "the parcel is on its way", "logistics", "freshness")]),
    "carrier_lag": ("60s", [Down("logistics-sync", "the parcel is on its way", "logistics", "freshness")]),
    "error_rate": (
        1,
        [
            Down("catalogue", "open the catalogue", "catalog", "status"),
            *(
                Down(name, "open the sign-in page", "login", "status")
                for name in ("login", "checkout", "payment", "logistics-sync")
            ),
        ],
    ),
    "hang": (
        True,
        [
            Down("catalogue", "open the catalogue", "catalog", "timeout"),
            *(
                Down(name, "open the sign-in page", "login", "timeout")
                for name in ("login", "checkout", "payment", "logistics-sync")
            ),
        ],
    ),
    "slow": ("50ms", []),
}


@pytest.fixture(scope="module")
def shop() -> Iterator[Practice]:
    """A shop of its own: the accounts' order counts are judged."""
    with asyncio.Runner() as runner:
        started = Practice(pace=0.1)
        runner.run(started.__aenter__())
        try:
            yield started
        finally:
            runner.run(started.stop())


def run_all(shop: Practice, state: Path, timeout: float | None = None) -> dict[str, Result]:
    environment = Environment({"SHOP_URL": shop.urls["shop"]})
    mistakes: list[Mistake] = []
    journeys = [found for file in sorted(FOLDER.glob("*.yaml")) for found in load_file(file, environment, mistakes)]
    assert mistakes == []
    if timeout is not None:
        journeys = [journey.model_copy(update={"timeout": timeout}) for journey in journeys]
    return asyncio.run(_run(journeys, RunContext(state, environment)))


async def _run(journeys: list[Journey], context: RunContext) -> dict[str, Result]:
    try:
        results = await asyncio.gather(*(run_journey(journey, context) for journey in journeys))
    finally:
        await context.aclose()
    return {result.journey: result for result in results}


def downs(results: dict[str, Result]) -> list[Down]:
    found = []
    for name, result in results.items():
        if result.outcome is Outcome.DOWN:
            assert result.failed is not None
            found.append(Down(name, result.failed.name, result.failed.service, str(result.failed.reason)))
    return sorted(found, key=lambda down: down.journey)


def put(shop: Practice, name: str, value: object) -> None:
    asyncio.run(shop.switch(name, value))


UNCLEAR = ("psp_delay", "psp_errors")  # 504 and 502: the shop may be at work on the order still


def test_every_switch_is_told_apart() -> None:
    assert set(TOLD_APART) == set(SWITCHES)


@pytest.mark.by_the_clock
def test_a_well_shop_is_up_and_nothing_is_left_in_it(shop: Practice, tmp_path: Path) -> None:
    results = run_all(shop, tmp_path)
    assert downs(results) == []
    assert {name for name, result in results.items() if result.outcome is Outcome.UP} == set(results)
    undone = [step.outcome for result in results.values() for step in result.cleanup]
    assert set(undone) == {Outcome.UP, Outcome.SKIPPED}  # nobody has to look for an order whose number is known
    assert Ledger(tmp_path / "ledger.jsonl").leftovers() == []


@pytest.mark.by_the_clock
@pytest.mark.parametrize("name", TOLD_APART)
def test_a_switch_turns_the_right_step_down_and_heals(name: str, shop: Practice, tmp_path: Path) -> None:
    value, expected = TOLD_APART[name]
    put(shop, name, value)
    try:
        results = run_all(shop, tmp_path, HANG_TIMEOUT if name == "hang" else None)
    finally:
        put(shop, name, False)
    assert downs(results) == sorted(expected, key=lambda down: down.journey)
    assert downs(run_all(shop, tmp_path)) == []
    left = Ledger(tmp_path / "ledger.jsonl").leftovers()
    assert all(entry.state == "unknown" and entry.next_attempt for entry in left), left  # looked for, and will be again
    assert len(left) == (name in UNCLEAR)
