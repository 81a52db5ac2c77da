import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from probes.language.journey import Journey
from probes.prober.report import Patience, Reporter
from probes.prober.rounds import Rounds
from probes.prober.rules import HOLD, RESEND
from probes.prober.schedule import place
from probes.result import Outcome, Reason, Result, Step
from tests.probes.receiver import Receiver, settle

pytestmark = pytest.mark.anyio
HASTE = Patience(request=60.0, first=0.02, longest=0.1)


def journey(name: str = "checkout", **more: Any) -> Journey:
    alert = {"after": "2 of 3", "clear": 2, "confirm": "10ms"}
    steps = [{"get": "http://127.0.0.1:9/"}]
    data = {"journey": name, "service": "checkout", "every": "50ms", "steps": steps, "alert": alert, **more}
    return Journey.model_validate(data)


class Shop:
    """Runs that never touch a network: `outcomes` by journey; a journey in `hangs` never comes back."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.hangs: set[str] = set()
        self.runs: list[str] = []
        self.under_way: dict[str, int] = {}
        self.overlapped = False

    async def __call__(self, journey: Journey) -> Result:
        name = journey.name
        self.runs.append(name)
        self.under_way[name] = self.under_way.get(name, 0) + 1
        self.overlapped = self.overlapped or self.under_way[name] > 1
        try:
            await asyncio.sleep(3600 if name in self.hangs else 0.001)
        finally:
            self.under_way[name] -= 1
        outcome = self.outcomes.get(name, Outcome.UP)
        reason = Reason.STATUS if outcome is Outcome.DOWN else None
        step = Step("pay", "payment", outcome, reason, duration_s=0.001)
        at = datetime.now(UTC)
        return Result(name, journey.service, f"run-{len(self.runs)}", outcome, at, 0.001, [step])


def quick_starter() -> str:
    """A name whose first run comes at once, whatever its interval."""
    return next(name for n in itertools.count() if place(name := f"journey-{n}") < 0.02)


@asynccontextmanager
async def rounds(
    url: str, folder: Path, journeys: list[Journey], run: Callable[[Journey], Awaitable[Result]], **more: Any
) -> AsyncIterator[asyncio.Task[None]]:
    reporter = Reporter(url, None, folder / "spool", patience=HASTE)
    prober = Rounds(journeys, run, reporter, folder / "state.json", **more)
    stop = asyncio.Event()
    task = asyncio.create_task(prober.serve(stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.wait([task]), 60)
    task.result()


def firing(receiver: Receiver) -> list[bool]:
    return [datetime.fromisoformat(alert["endsAt"]) > datetime.now(UTC) for alert in receiver.alerts()]


async def test_a_failing_journey_becomes_an_alert_and_a_mended_one_ends_it(tmp_path: Path) -> None:
    shop = Shop()
    shop.outcomes["checkout"] = Outcome.DOWN
    async with Receiver().listening() as receiver, rounds(receiver.url, tmp_path, [journey()], shop):
        await receiver.wait_for(lambda: firing(receiver) == [True])
        shop.outcomes["checkout"] = Outcome.UP
        await receiver.wait_for(lambda: len(receiver.alerts()) == 2)
        assert firing(receiver) == [True, False]
    [begun, over] = receiver.alerts()
    assert begun["labels"] == over["labels"]
    assert begun["labels"]["alertname"] == "JourneyDown"
    assert begun["labels"]["service"] == "payment"


async def test_every_result_is_reported_with_its_lag(tmp_path: Path) -> None:
    shop = Shop()
    async with Receiver().listening() as receiver, rounds(receiver.url, tmp_path, [journey()], shop):
        await receiver.wait_for(lambda: len(receiver.results()) >= 5)
    assert [result["run_id"] for result in receiver.results()[:5]] == [f"run-{n}" for n in range(1, 6)]
    assert all(0 <= result["lag_s"] < 60 for result in receiver.results())


async def test_a_first_failure_is_confirmed_long_before_the_next_interval(tmp_path: Path) -> None:
    shop = Shop()
    name = quick_starter()
    shop.outcomes[name] = Outcome.DOWN
    hourly = [journey(name, every="1h")]
    async with Receiver().listening() as receiver, rounds(receiver.url, tmp_path, hourly, shop):
        await receiver.wait_for(lambda: len(receiver.alerts()) == 1)
    assert len(shop.runs) == 2


@pytest.mark.by_the_clock
async def test_a_journey_that_hangs_holds_up_no_other_and_never_runs_twice_at_once(tmp_path: Path) -> None:
    shop = Shop()
    shop.hangs = {f"hanging-{n}" for n in range(50)}
    journeys = [journey(name) for name in sorted(shop.hangs)] + [journey(f"good-{n}") for n in range(10)]
    async with Receiver().listening() as receiver, rounds(receiver.url, tmp_path, journeys, shop):
        good = [f"good-{n}" for n in range(10)]
        await receiver.wait_for(lambda: min(shop.runs.count(name) for name in good) >= 8)
        lags = sorted(result["lag_s"] for result in receiver.results())
    assert {shop.runs.count(name) for name in shop.hangs} == {1}
    assert not shop.overlapped
    assert lags[len(lags) // 2] < 0.1


async def test_a_run_that_raises_is_a_failed_run_and_the_others_go_on(tmp_path: Path) -> None:
    shop = Shop()

    async def run(journey: Journey) -> Result:
        if journey.name == "broken":
            raise RuntimeError("a bug")
        return await shop(journey)

    with capture_logs() as logs:
        async with (
            Receiver().listening() as receiver,
            rounds(receiver.url, tmp_path, [journey("broken"), journey("good")], run),
        ):
            await receiver.wait_for(lambda: {r["journey"] for r in receiver.results()} == {"broken", "good"})
            await receiver.wait_for(lambda: bool(receiver.alerts()))
    broken = next(result for result in receiver.results() if result["journey"] == "broken")
    assert broken["steps"][0]["reason"] == "prober"
    assert broken["steps"][0]["seen"] == "RuntimeError: a bug"
    assert any(entry["log_level"] == "error" and entry.get("journey") == "broken" for entry in logs)


async def test_a_firing_alert_is_said_again_and_again(tmp_path: Path) -> None:
    shop = Shop()
    shop.outcomes["checkout"] = Outcome.DOWN
    resend = timedelta(milliseconds=50)
    async with Receiver().listening() as receiver, rounds(receiver.url, tmp_path, [journey()], shop, resend=resend):
        await receiver.wait_for(lambda: len(receiver.alerts()) >= 3)
    assert len({alert["startsAt"] for alert in receiver.alerts()}) == 1


@pytest.mark.by_the_clock
async def test_what_was_firing_before_a_restart_is_said_at_once_and_can_end(tmp_path: Path) -> None:
    shop = Shop()
    shop.outcomes["checkout"] = Outcome.DOWN
    async with Receiver().listening() as receiver:
        async with rounds(receiver.url, tmp_path, [journey()], shop):
            await receiver.wait_for(lambda: len(receiver.alerts()) == 1)
        [first] = receiver.alerts()
        shop.outcomes["checkout"] = Outcome.UP
        async with rounds(receiver.url, tmp_path, [journey(every="300ms")], shop):
            await receiver.wait_for(lambda: len(receiver.alerts()) >= 2, 0.5)
            await receiver.wait_for(lambda: firing(receiver)[-1] is False)
    assert {alert["startsAt"] for alert in receiver.alerts()} == {first["startsAt"]}


async def test_a_failure_seen_before_a_restart_counts_after_it(tmp_path: Path) -> None:
    shop = Shop()
    name, file = quick_starter(), tmp_path / "state.json"
    shop.outcomes[name] = Outcome.DOWN
    hourly = [journey(name, every="1h", alert={"after": "2 of 3", "confirm": 0})]
    async with Receiver().listening() as receiver:
        async with rounds(receiver.url, tmp_path, hourly, shop):
            await receiver.wait_for(lambda: len(receiver.results()) == 1)
        file.write_text(json.dumps({**json.loads(file.read_text()), "last_runs": {}}))  # as if an hour had passed
        async with rounds(receiver.url, tmp_path, hourly, shop):
            await receiver.wait_for(lambda: len(receiver.alerts()) == 1)
    assert len(shop.runs) == 2


async def test_alerts_that_fell_while_the_daemon_was_away_arrive_when_it_is_back(tmp_path: Path) -> None:
    shop, receiver = Shop(), Receiver()
    shop.outcomes["checkout"] = Outcome.DOWN
    async with receiver.listening():
        port = receiver.port
    async with rounds(receiver.url, tmp_path, [journey()], shop):
        async with asyncio.timeout(60):
            while (runs := len(shop.runs)) < 4:  # it goes on without the daemon
                await asyncio.sleep(0.01)
        async with receiver.listening(port):
            await receiver.wait_for(lambda: bool(receiver.alerts()) and len(receiver.results()) >= runs)
    assert [r["run_id"] for r in receiver.results()[:runs]] == [f"run-{n}" for n in range(1, runs + 1)]


@pytest.mark.by_the_clock
async def test_the_alert_of_a_removed_journey_is_not_said_again(tmp_path: Path) -> None:
    shop = Shop()
    shop.outcomes["checkout"] = Outcome.DOWN
    async with Receiver().listening() as receiver:
        async with rounds(receiver.url, tmp_path, [journey()], shop):
            await receiver.wait_for(lambda: len(receiver.alerts()) == 1)
            await settle()  # until the prober knows that it was taken, and need not send it again
        removed = datetime.now(UTC)
        with capture_logs() as logs:
            async with rounds(receiver.url, tmp_path, [journey("other")], shop):
                await receiver.wait_for(lambda: "other" in shop.runs)
                await asyncio.sleep(0.1)
    latest = max(datetime.fromisoformat(alert["endsAt"]) for alert in receiver.alerts())
    assert latest < removed + HOLD * RESEND  # what is sent after that was said before
    assert any("removed" in entry["event"] for entry in logs)


@pytest.mark.by_the_clock
async def test_it_ends_fast_although_runs_are_under_way(tmp_path: Path) -> None:
    shop = Shop()
    shop.hangs = {"hanging"}
    async with rounds("http://127.0.0.1:9", tmp_path, [journey("hanging")], shop):
        async with asyncio.timeout(60):
            while not shop.runs:
                await asyncio.sleep(0.01)
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert shop.under_way == {"hanging": 0}
