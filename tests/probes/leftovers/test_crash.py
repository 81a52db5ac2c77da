"""kill -9 at every moment of a checkout: what the shop holds and what the ledger says agree."""

import asyncio
import json
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drills.practice.launch import Practice
from probes.running.ledger import UNSURE, Ledger
from tests.probes.leftovers.crashing import CHECKOUT, RUN_KEY, dying, left, open_orders, until, workspace

pytestmark = pytest.mark.anyio

NEVER = "never"


@pytest.fixture(scope="module")
async def shop() -> AsyncIterator[Practice]:
    async with Practice(environment={"SHOPWATCH_RUN_KEY": RUN_KEY}, pace=10.0) as practice:
        yield practice


async def agrees(folder: Path, shop: Practice) -> None:
    """Whatever is open in the shop is in the ledger; what the ledger knows to be there is in the shop."""
    known = {entry.run_id: entry for entry in left(folder)}
    held = {run: state for run, state in (await open_orders(shop)).items() if run in runs_of(folder)}
    assert held.keys() <= known.keys()
    assert {run for run, entry in known.items() if entry.state not in UNSURE} <= held.keys()


def runs_of(folder: Path) -> set[str]:
    return {entry.run_id for entry in Ledger(folder / ".shopwatch" / "ledger.jsonl").entries()}


async def recovers(folder: Path, shop: Practice) -> None:
    """A new process leaves nothing in the shop, and in the ledger only what has to be looked at once more later."""
    journey = {**CHECKOUT, "every": "1h"}
    (folder / "probes" / "checkout.yaml").write_text(json.dumps(journey))
    before = {entry.run_id for entry in left(folder)}
    async with dying(folder, NEVER, shop) as prober:
        await until(lambda: all(entry.attempts for entry in left(folder) if entry.run_id in before), 60)
        assert before.isdisjoint(await open_orders(shop)), prober.log()
    assert all(entry.state == "unknown" for entry in left(folder) if entry.run_id in before)


@pytest.mark.parametrize(
    ("moment", "made"),
    [
        pytest.param("after intent", False, id="before the request leaves"),
        pytest.param("before created", True, id="the answer is there, and not yet written down"),
        pytest.param("after created", True, id="before cleanup", marks=pytest.mark.long),
        pytest.param("before undone", False, id="cleanup has undone it, and not yet written it down"),
    ],
)
async def test_a_prober_killed_at_any_moment_knows_what_it_may_have_left(
    tmp_path: Path, shop: Practice, moment: str, made: bool
) -> None:
    folder = workspace(tmp_path)
    async with dying(folder, moment, shop) as prober:
        assert await prober.ended(60) == -signal.SIGKILL
    if moment != "before undone":
        await agrees(folder, shop)
    (entry,) = left(folder)
    assert (entry.run_id in await open_orders(shop)) is made
    await recovers(folder, shop)


@pytest.mark.by_the_clock
async def test_a_prober_killed_while_the_answer_is_under_way_finds_the_order(tmp_path: Path, shop: Practice) -> None:
    folder = workspace(tmp_path)
    await shop.switch("psp_delay", "3s", "1m")
    async with dying(folder, NEVER, shop) as prober:
        await until(lambda: bool(left(folder)), 60)
        while not (await open_orders(shop)).keys() & runs_of(folder):
            await asyncio.sleep(0.02)
        prober.send(signal.SIGKILL)
        await prober.ended(60)
    (entry,) = left(folder)
    assert (entry.state, entry.value) == ("intent", None)
    await agrees(folder, shop)
    await shop.clear()
    await recovers(folder, shop)


@pytest.mark.long
async def test_a_prober_killed_at_random_moments_forgets_nothing(tmp_path: Path, shop: Practice) -> None:
    folder = workspace(tmp_path)
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    print("seed", seed)
    await shop.switch("slow", "50ms", "5m")
    for _ in range(8):
        async with dying(folder, NEVER, shop) as prober:
            await prober.started()
            await asyncio.sleep(chance.uniform(0.2, 2.0))
            prober.send(signal.SIGKILL)
            await prober.ended(60)
        await asyncio.sleep(0.5)  # what the shop has begun, it ends
        held = {run for run in await open_orders(shop) if run in runs_of(folder)}
        assert held <= {entry.run_id for entry in left(folder)}
    await shop.clear()
    await recovers(folder, shop)
