"""A shop that nobody wrote for us, walked by journeys in plain YAML, broken from outside, and healed."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from probes.files.workspace import load_workspace
from probes.language.journey import Journey
from probes.prober.doubts import TROUBLE
from probes.result import Outcome, Result
from probes.running.context import RunContext
from probes.running.runner import run_journey
from tests.probes.prober.test_process import prober
from tests.probes.receiver import Receiver
from tests.targets.oscar import faults
from tests.targets.oscar.shop import OscarShop

pytestmark = [pytest.mark.anyio, pytest.mark.needs("oscar")]
# Those of the journey: imported visits, which empty no basket, are made as another one.
BUYERS = [f"buyer{number}@example.com" for number in (2, 3, 4)]


class Walker:
    """Runs the workspace's journeys one at a time."""

    def __init__(self, folder: Path) -> None:
        workspace = load_workspace(folder)
        found, mistakes = workspace.journeys()
        assert [str(mistake) for mistake in mistakes] == []
        self.journeys: dict[str, Journey] = {journey.name: journey for journey in found}
        self.context = RunContext(workspace.state, workspace.env)

    async def walk(self, name: str) -> Result:
        return await run_journey(self.journeys[name], self.context)


@asynccontextmanager
async def walking(folder: Path) -> AsyncIterator[Walker]:
    walker = Walker(folder)
    try:
        yield walker
    finally:
        await walker.context.aclose()


def story(result: Result) -> str:
    """What an assertion shows when a run was not as wanted."""
    failed = result.failed
    return f"{result.journey} {result.outcome}" + (
        f" at {failed.name}: {failed.reason}, {failed.seen}" if failed else ""
    )


async def test_a_shopper_signs_in(workspace: Path) -> None:
    async with walking(workspace) as walker:
        result = await walker.walk("login")
    assert result.outcome is Outcome.UP, story(result)


async def test_a_shopper_buys_and_follows_the_order_and_nothing_is_left_in_the_shop(
    workspace: Path, oscar: OscarShop
) -> None:
    async with walking(workspace) as walker:
        result = await walker.walk("checkout")
    assert result.outcome is Outcome.UP, story(result)
    assert [step.outcome for step in result.cleanup] == [Outcome.UP] * 4
    assert sum(faults.open_baskets(oscar.state, buyer) for buyer in BUYERS) == 0
    ledger = [json.loads(line) for line in (workspace / ".shopwatch" / "ledger.jsonl").read_text().splitlines()]
    assert [entry["state"] for entry in ledger] == ["intent", "created", "undone"]


async def test_a_basket_that_an_earlier_run_left_behind_is_emptied(workspace: Path, oscar: OscarShop) -> None:
    async with walking(workspace) as walker:
        for account in range(3):
            with faults.broken(oscar.state, "order-table-gone"):
                failed = await walker.walk("checkout")
            assert failed.outcome is Outcome.DOWN, f"account {account}"
        result = await walker.walk("checkout")
    assert result.outcome is Outcome.UP, story(result)


FAULTS = [  # fault, journey, the step that must turn down, its service, its reason
    ("account-disabled", "login", "sign in", "login", "status"),
    ("out-of-stock", "checkout", "look at the book", "catalog", "html"),
    ("basket-table-gone", "checkout", "look into the basket", "cart", "status"),
    ("order-table-gone", "checkout", "place the order", "checkout", "body"),  # it apologises, with a 200
    ("frozen", "login", "open the sign-in page", "login", "timeout"),
    ("locked", "login", "open the sign-in page", "login", "status"),
]


@pytest.mark.by_the_clock
@pytest.mark.parametrize(("fault", "journey", "step", "service", "reason"), FAULTS, ids=[f[0] for f in FAULTS])
async def test_a_fault_turns_the_right_step_down_for_the_right_reason_and_heals(
    workspace: Path, oscar: OscarShop, fault: str, journey: str, step: str, service: str, reason: str
) -> None:
    path = workspace / "probes" / f"{journey}.yaml"
    if fault == "frozen":  # it never answers
        path.write_text(path.read_text().replace("timeout: 15s", "timeout: 8s"))
    async with walking(workspace) as walker:
        user = walker.journeys[journey].accounts[0].user
        with faults.broken(oscar.state, fault, user):
            broken = await walker.walk(journey)
        healed = await walker.walk(journey)
    failed = broken.failed
    assert broken.outcome is Outcome.DOWN
    assert failed is not None
    assert (failed.name, failed.service, failed.reason) == (step, service, reason), story(broken)
    assert healed.outcome is Outcome.UP, story(healed)


@pytest.mark.by_the_clock
async def test_an_order_whose_status_never_appears_is_a_matter_of_freshness(workspace: Path, oscar: OscarShop) -> None:
    path = workspace / "probes" / "checkout.yaml"
    path.write_text(path.read_text().replace("{in: [Pending, Being processed, Shipped, Complete]}", "Being processed"))
    async with walking(workspace) as walker:
        with faults.broken(oscar.state, "orders-stuck"):
            walk = asyncio.create_task(walker.walk("checkout"))
            await _scans(oscar, walk)
            stuck = walk.result()
        walk = asyncio.create_task(walker.walk("checkout"))
        await _scans(oscar, walk)
        moved = walk.result()
    assert stuck.failed is not None
    assert (stuck.failed.name, stuck.failed.service, stuck.failed.reason) == (
        "the customer sees the order",
        "logistics",
        "freshness",
    ), story(stuck)
    assert moved.outcome is Outcome.UP, story(moved)


async def _scans(oscar: OscarShop, walk: "asyncio.Task[Result]") -> None:
    """The warehouse moves waiting orders on, every quarter of a second, while the journey walks."""
    while not walk.done():
        await asyncio.to_thread(faults.scan_orders, oscar.state)
        await asyncio.sleep(0.25)


WANTED = {"login": 15, "checkout": 8, "checkout-twin": 8}


@pytest.mark.by_the_clock  # the shop's own patience, five seconds for its database, is not ours to choose
@pytest.mark.timeout(800)
async def test_for_a_minute_the_scheduler_walks_it_every_few_seconds_and_no_run_fails(
    workspace: Path, oscar: OscarShop
) -> None:
    """Sign-in every three seconds, two whole checkouts every five, in the prober's own process: for a minute, and on a
    busy machine until each was walked often enough. There a page may take its time without being a failed run."""
    probes = workspace / "probes"
    text = (probes / "checkout.yaml").read_text().replace("every: 4s", "every: 5s")
    text = text.replace("timeout: 30s", "timeout: 90s").replace("within: 5s", "within: 60s")
    (probes / "checkout.yaml").write_text(text)
    (probes / "twin.yaml").write_text(text.replace("journey: checkout", "journey: checkout-twin"))
    (probes / "login.yaml").write_text((probes / "login.yaml").read_text().replace("timeout: 15s", "timeout: 90s"))
    async with Receiver().listening() as receiver, prober(workspace, receiver.url) as process:
        await process.started()
        began, walked = time.monotonic(), Counter[str]()
        while time.monotonic() < began + 60 or any(walked[name] < often for name, often in WANTED.items()):
            await asyncio.sleep(1)
            bad = [result for result in receiver.results() if result["outcome"] != "up"]
            assert bad == [], json.dumps(bad)[:4000]
            walked = Counter(result["journey"] for result in receiver.results())
            assert time.monotonic() < began + 240, f"walked too seldom: {walked}"
        async with asyncio.timeout(60):  # between two runs nothing lies in any basket
            while sum(faults.open_baskets(oscar.state, buyer) for buyer in BUYERS) > 0:
                await asyncio.sleep(0.05)
        results = receiver.results()
    # a machine that stands still again and again is the prober's own trouble, and said to be that
    assert [alert for alert in receiver.alerts() if alert["labels"]["alertname"] != TROUBLE] == []
    assert len({result["account"] for result in results if result["journey"] != "login"}) >= 2


async def test_several_accounts_at_once_never_share_a_shopper(workspace: Path, oscar: OscarShop) -> None:
    async with walking(workspace) as walker:
        results = await asyncio.gather(*(walker.walk("checkout") for _ in range(3)))
    assert [result.outcome for result in results] == [Outcome.UP] * 3, [story(result) for result in results]
    assert len({result.account for result in results}) == 3
    assert sum(faults.open_baskets(oscar.state, buyer) for buyer in BUYERS) == 0
