"""Journeys read anew while they run: what stays keeps its state, what is wrong changes nothing."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from probes.files.workspace import load_workspace
from probes.language.journey import Journey
from probes.prober.reload import Masks, Reloading
from probes.prober.report import Patience, Reporter
from probes.prober.rounds import Rounds
from probes.result import Outcome, Reason, Result, Step
from probes.running.context import RunContext
from tests.probes.receiver import Receiver

pytestmark = pytest.mark.anyio
SETTINGS = "shop: {name: Shop, url: http://127.0.0.1:9}\nservices: {checkout: {title: Checkout}}\n"
JOURNEY = """\
journey: NAME
service: checkout
every: 40ms
alert: {after: 1 of 1, clear: 1, confirm: 10ms}
steps: [{get: "http://127.0.0.1:9/"}]
"""


class Shop:
    """`down`: the journeys that fail. `gate` holds runs back while it is not set."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.runs: list[Journey] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.now = 0
        self.most = 0

    async def __call__(self, journey: Journey) -> Result:
        self.runs.append(journey)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.gate.wait()
        finally:
            self.now -= 1
        bad = journey.name in self.down
        step = Step("get", "checkout", Outcome.DOWN if bad else Outcome.UP, Reason.STATUS if bad else None)
        return Result(journey.name, "checkout", "run", step.outcome, datetime.now(UTC), 0.001, [step])

    async def runs_of(self, name: str, count: int = 1) -> None:
        seen = len(self.runs)
        async with asyncio.timeout(60):
            while sum(run.name == name for run in self.runs[seen:]) < count:
                await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """A reload freezes what there is, which a prober's process is made for and pytest's is not."""
    yield
    gc.unfreeze()


def write(folder: Path, name: str, **more: Any) -> None:
    text = JOURNEY.replace("NAME", name) + "".join(f"{key}: {json.dumps(value)}\n" for key, value in more.items())
    if "every" in more:
        text = text.replace("every: 40ms\n", "", 1)
    (folder / "probes" / f"{name}.yaml").write_text(text)


@asynccontextmanager
async def prober(folder: Path, shop: Shop, url: str) -> AsyncIterator[tuple[Reloading, Rounds]]:
    (folder / "probes").mkdir(exist_ok=True)
    (folder / "shopwatch.yaml").write_text(SETTINGS)
    if not list((folder / "probes").iterdir()):
        write(folder, "checkout")
    workspace = load_workspace(folder)
    reporter = Reporter(url, None, folder / "spool", patience=Patience(60.0, 0.02, 0.1))
    rounds = Rounds(workspace.journeys()[0], shop, reporter, folder / "state.json")
    context = RunContext(workspace.state, workspace.env)
    stop = asyncio.Event()
    task = asyncio.create_task(rounds.serve(stop))
    await asyncio.sleep(0)
    try:
        yield Reloading(workspace, rounds, context), rounds
    finally:
        stop.set()
        await asyncio.wait_for(task, 60)
        await context.aclose()


async def test_a_journey_that_is_added_runs_and_one_that_is_removed_does_not(tmp_path: Path) -> None:
    shop = Shop()
    async with Receiver().listening() as receiver, prober(tmp_path, shop, receiver.url) as (reloading, _):
        await shop.runs_of("checkout")
        write(tmp_path, "search")
        assert await reloading.reload()
        await shop.runs_of("search", 2)
        (tmp_path / "probes/checkout.yaml").unlink()
        assert await reloading.reload()
        seen = len(shop.runs)
        await shop.runs_of("search", 5)
        assert {run.name for run in shop.runs[seen:]} == {"search"}


async def test_a_changed_journey_keeps_its_alert_and_runs_as_the_file_now_says(tmp_path: Path) -> None:
    shop = Shop()
    shop.down = {"checkout"}
    async with Receiver().listening() as receiver, prober(tmp_path, shop, receiver.url) as (reloading, _):
        await receiver.wait_for(lambda: len(receiver.alerts()) == 1)
        write(tmp_path, "checkout", timeout="7s")
        assert await reloading.reload()
        await shop.runs_of("checkout", 3)
        assert shop.runs[-1].timeout == 7
        assert len(receiver.alerts()) == 1, "what was said before the reload is not news"
        shop.down = set()
        await receiver.wait_for(lambda: len(receiver.alerts()) == 2)
        begun, over = receiver.alerts()
        assert (begun["labels"], begun["startsAt"]) == (over["labels"], over["startsAt"])


async def test_a_run_under_way_ends_by_the_old_definition(tmp_path: Path) -> None:
    shop = Shop()
    shop.gate.clear()
    async with Receiver().listening() as receiver, prober(tmp_path, shop, receiver.url) as (reloading, _):
        await shop.runs_of("checkout")
        write(tmp_path, "checkout", labels={"market": "uk"})
        assert await reloading.reload()
        assert shop.runs[0].labels == {}
        shop.gate.set()
        await shop.runs_of("checkout")
        assert shop.runs[-1].labels == {"market": "uk"}
        await receiver.wait_for(lambda: len(receiver.results()) >= 2)


async def test_a_run_of_a_removed_journey_is_reported_and_raises_no_alert(tmp_path: Path) -> None:
    shop = Shop()
    shop.down = {"checkout"}
    shop.gate.clear()
    async with Receiver().listening() as receiver, prober(tmp_path, shop, receiver.url) as (reloading, _):
        await shop.runs_of("checkout")
        write(tmp_path, "search")
        (tmp_path / "probes/checkout.yaml").unlink()
        assert await reloading.reload()
        shop.gate.set()
        await shop.runs_of("search", 3)
        await receiver.wait_for(lambda: len(receiver.results()) >= 2)
        assert receiver.alerts() == []


async def test_a_journey_that_is_taken_out_and_put_back_never_runs_twice_at_once(tmp_path: Path) -> None:
    shop = Shop()
    shop.gate.clear()
    async with Receiver().listening() as receiver, prober(tmp_path, shop, receiver.url) as (_, rounds):
        await shop.runs_of("checkout")
        there = list(rounds.journeys.values())
        rounds.replace([])
        rounds.replace(there)
        await asyncio.sleep(0.2)
        shop.gate.set()
        await shop.runs_of("checkout", 3)
        assert shop.most == 1


async def test_a_firing_alert_of_a_removed_journey_is_said_and_left_to_go_stale(tmp_path: Path) -> None:
    shop = Shop()
    shop.down = {"checkout"}
    async with Receiver().listening() as receiver, prober(tmp_path, shop, receiver.url) as (reloading, _):
        await receiver.wait_for(lambda: len(receiver.alerts()) == 1)
        (tmp_path / "probes/checkout.yaml").unlink()
        with capture_logs() as logs:
            assert await reloading.reload()
        await asyncio.sleep(0.1)
        assert len(receiver.alerts()) == 1
    assert "a journey was removed while its alert was firing" in [line["event"] for line in logs]


async def test_a_bad_file_is_refused_with_all_the_others_and_named(tmp_path: Path) -> None:
    shop = Shop()
    async with Receiver().listening() as receiver, prober(tmp_path, shop, receiver.url) as (reloading, rounds):
        write(tmp_path, "search")
        (tmp_path / "probes/zz.yaml").write_text("journey: zz\nservice: checkout\nevery: soon\nsteps: []\n")
        with capture_logs() as logs:
            assert not await reloading.reload()
        assert list(rounds.journeys) == ["checkout"]
        await shop.runs_of("checkout")
    assert any(line["log_level"] == "error" and "probes/zz.yaml:3" in line.get("problem", "") for line in logs)


async def test_another_interval_counts_from_the_reload_on(tmp_path: Path) -> None:
    shop = Shop()
    async with Receiver().listening() as receiver, prober(tmp_path, shop, receiver.url) as (reloading, _):
        write(tmp_path, "checkout", every="1h")
        assert await reloading.reload()
        await asyncio.sleep(0.15)
        seen = len(shop.runs)
        await asyncio.sleep(0.2)
        assert len(shop.runs) == seen
        write(tmp_path, "checkout")
        assert await reloading.reload()
        await shop.runs_of("checkout", 2)


async def test_a_secret_from_a_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "key"
    secret.write_text("first-key-0001")
    monkeypatch.setenv("PROBE_KEY_FILE", str(secret))
    (tmp_path / "probes").mkdir()
    write(tmp_path, "checkout", headers={"X-Key": "${PROBE_KEY}"})
    shop = Shop()
    async with Receiver().listening() as receiver, prober(tmp_path, shop, receiver.url) as (reloading, _):
        before = reloading.context
        assert str(secret) in reloading._look()
        secret.write_text("second-key-0002")
        assert await reloading.reload()
        await shop.runs_of("checkout", 2)
        assert shop.runs[-1].headers["X-Key"].render({}) == "second-key-0002"
        assert before.environment.masker()("first-key-0001") == "${PROBE_KEY}", "for runs that are under way"
        assert reloading.context.accounts is before.accounts


def test_the_log_hides_the_secrets_of_before_a_reload_too() -> None:
    masks = Masks({"KEY": "first-key-0001"})
    masks.use({"KEY": "second-key-0002"})
    assert masks("first-key-0001 second-key-0002") == "${KEY before} ${KEY}"
    masks.use({"KEY": "second-key-0002"})
    assert masks("second-key-0002") == "${KEY}", "it is the same as before"


async def test_a_hundred_reloads_under_load_leak_nothing(tmp_path: Path) -> None:
    shop = Shop()
    async with Receiver().listening() as receiver, prober(tmp_path, shop, receiver.url) as (reloading, rounds):
        for number in range(5):
            write(tmp_path, f"more-{number}")
        sizes = []
        for turn in range(100):
            write(tmp_path, "more-0", timeout=f"{turn + 1}s")
            assert await reloading.reload()
            await asyncio.sleep(0)
            if turn in (30, 99):
                shop.runs.clear()
                gc.unfreeze()
                gc.collect()
                journeys = sum(type(thing) is Journey for thing in gc.get_objects())
                sizes.append((journeys, len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks())))
        before, after = sizes
        assert after[0] <= before[0] + 10
        assert after[1] <= before[1] + 3
        assert after[2] <= before[2] + 10
        assert len(rounds.journeys) == 6
