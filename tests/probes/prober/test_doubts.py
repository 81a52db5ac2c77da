"""Journeys over real sockets, whose targets and reference targets come and go."""

import asyncio
import errno
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from probes.files.secrets import Environment
from probes.language.journey import Journey
from probes.prober.doubts import TROUBLE, Doubts
from probes.prober.report import Patience, Reporter
from probes.prober.rounds import Rounds
from probes.prober.wayout import closed_way
from probes.result import Outcome, Reason, Result, Step
from probes.running.context import RunContext
from probes.running.runner import run_journey
from probes.screen import last_results
from tests.probes.receiver import Receiver

# a prober gives its reference targets three seconds
pytestmark = [pytest.mark.anyio, pytest.mark.by_the_clock]
HASTE = Patience(request=60.0, first=0.02, longest=0.1)


class Target:
    """A web server that can go away and come back at the same address."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.asked = 0

    async def __aenter__(self) -> "Target":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def down(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


def journey(target: Target, name: str = "checkout", **more: Any) -> Journey:
    data = {"journey": name, "service": "checkout", "every": "100ms", "base": f"http://127.0.0.1:{target.port}"}
    alert = {"confirm": "20ms", "after": "2 of 3"}
    return Journey.model_validate({**data, "steps": [{"get": "/"}], "alert": alert, **more})


@asynccontextmanager
async def prober(
    receiver: Receiver, folder: Path, journeys: list[Journey], *references: str, run: Callable[..., Any] | None = None
) -> AsyncIterator[Doubts]:
    context = RunContext(folder, Environment({}))

    async def walk(one: Journey) -> Result:
        return await run_journey(one, context)

    doubts = Doubts("local", references)
    reporter = Reporter(receiver.url, None, folder / "spool", patience=HASTE)
    rounds = Rounds(journeys, run or walk, reporter, folder / "state.json", doubts=doubts)
    stop = asyncio.Event()
    task = asyncio.create_task(rounds.serve(stop))
    try:
        yield doubts
    finally:
        stop.set()
        await asyncio.wait_for(task, 60)
        await context.aclose()


def alerts(receiver: Receiver, name: str) -> list[str]:
    """What was said of alerts of this name: `fires` and `ends`, without repetitions."""
    said: list[str] = []
    for alert in receiver.alerts():
        if alert["labels"]["alertname"] == name:
            over = datetime.fromisoformat(alert["endsAt"]) <= datetime.now(UTC)
            said += ["ends" if over else "fires"]
    return [word for at, word in enumerate(said) if at == 0 or said[at - 1] != word]


def reasons(receiver: Receiver) -> set[str]:
    return {step["reason"] for result in receiver.results() for step in result["steps"] if step["reason"]}


async def fires(receiver: Receiver, name: str) -> None:
    """Until the alert and a failed run have come."""
    await receiver.wait_for(lambda: alerts(receiver, name) == ["fires"] and bool(reasons(receiver)))


async def test_a_closed_way_out_is_one_alert_about_the_prober_and_none_about_the_shop(tmp_path: Path) -> None:
    async with Target() as shop, Target() as reference:
        await shop.up()
        await reference.up()
        journeys = [journey(shop, f"journey-{number}") for number in range(5)]
        async with (
            Receiver().listening() as receiver,
            prober(receiver, tmp_path, journeys, f"http://127.0.0.1:{reference.port}/"),
        ):
            await receiver.wait_for(lambda: len(receiver.results()) >= 10)
            await reference.down()
            await shop.down()
            await receiver.wait_for(lambda: len([r for r in receiver.results() if r["outcome"] == "down"]) >= 20)
            await reference.up()
            await shop.up()
            await receiver.wait_for(lambda: alerts(receiver, TROUBLE) == ["fires", "ends"])
        assert reasons(receiver) == {"prober"}
        assert alerts(receiver, "JourneyDown") == []
        assert {alert["labels"]["alertname"] for alert in receiver.alerts()} == {TROUBLE}


async def test_who_is_refused_alone_is_blamed_although_the_references_are_gone_too(tmp_path: Path) -> None:
    async with Target() as shop:
        await shop.up()
        others = [
            journey(shop, f"well-{number}", base=f"http://localhost:{shop.port}", every="300ms") for number in range(2)
        ]
        journeys = [journey(Target(), "gone", every="1h"), *others]
        async with Receiver().listening() as receiver, prober(receiver, tmp_path, journeys, "tcp://127.0.0.1:1"):
            await receiver.wait_for(lambda: alerts(receiver, "JourneyDown") == ["fires"])
            await receiver.wait_for(lambda: alerts(receiver, TROUBLE) in ([], ["fires", "ends"]))
            await asyncio.sleep(1)
        assert {alert["labels"].get("journey") for alert in receiver.alerts()} <= {"gone", None}
        assert alerts(receiver, TROUBLE) in ([], ["fires", "ends"])


async def test_steps_that_reach_the_shop_show_that_the_way_out_is_open(tmp_path: Path) -> None:
    async with Target() as shop:
        await shop.up()
        steps = [{"get": "/"}, {"get": f"http://localhost:{Target().port}/"}]
        pays = journey(shop, "pays", every="1h", steps=steps, hosts=["localhost"])
        async with Receiver().listening() as receiver, prober(receiver, tmp_path, [pays], "tcp://127.0.0.1:1"):
            await receiver.wait_for(lambda: bool(alerts(receiver, "JourneyDown")))
            await receiver.wait_for(lambda: alerts(receiver, TROUBLE)[-1:] == ["ends"])
        assert alerts(receiver, TROUBLE) == ["fires", "ends"]
        [down] = [alert for alert in receiver.alerts() if alert["labels"]["alertname"] == "JourneyDown"]
        assert (down["labels"]["journey"], down["annotations"]["reason"]) == ("pays", "connect")


async def test_a_way_out_that_is_closed_from_the_start_is_one_alert_however_seldom_journeys_run(tmp_path: Path) -> None:
    nobody = Target()
    journeys = [
        journey(nobody, f"j{number}", every=every, base=f"http://127.0.0.{number}:{nobody.port}")
        for number, every in enumerate(("200ms", "700ms", "3s", "3s"), start=1)
    ]
    async with Receiver().listening() as receiver, prober(receiver, tmp_path, journeys, "tcp://127.0.0.1:1"):
        await receiver.wait_for(lambda: len({result["journey"] for result in receiver.results()}) == 4)
        await asyncio.sleep(3)
    assert alerts(receiver, TROUBLE) == ["fires"]
    assert reasons(receiver) == {"prober"}
    assert alerts(receiver, "JourneyDown") == []


@pytest.mark.parametrize("count", [1, 2])
async def test_a_shop_that_is_gone_is_blamed_at_once_while_references_answer(tmp_path: Path, count: int) -> None:
    async with Target() as shop, Target() as reference:
        await reference.up()
        journeys = [journey(shop, f"journey-{number}") for number in range(count)]
        references = (
            "tcp://127.0.0.1:1",
            f"tcp://127.0.0.1:{reference.port}",
            "dns:localhost",
        )  # one of them is enough
        async with Receiver().listening() as receiver, prober(receiver, tmp_path, journeys, *references):
            await fires(receiver, "JourneyDown")
        assert reasons(receiver) == {"connect"}
        assert alerts(receiver, TROUBLE) == []


async def test_a_run_that_was_not_judged_is_not_listed_as_up(tmp_path: Path) -> None:
    async with Target() as shop, Target() as reference, Receiver().listening() as receiver:
        state = tmp_path / "prober" / "local"
        state.mkdir(parents=True)
        one = journey(shop)
        async with prober(receiver, state, [one], f"http://127.0.0.1:{reference.port}/"):
            await receiver.wait_for(lambda: reasons(receiver) == {"prober"})
        assert [row["last"] for row in last_results(tmp_path, [one])] == ["prober"]


async def test_a_shop_that_is_gone_is_blamed_where_there_are_no_references(tmp_path: Path) -> None:
    async with Receiver().listening() as receiver, prober(receiver, tmp_path, [journey(Target())]):
        await fires(receiver, "JourneyDown")
    assert reasons(receiver) == {"connect"}


async def test_references_are_left_alone_while_the_shop_answers(tmp_path: Path) -> None:
    async with Target() as shop, Target() as reference:
        await shop.up()
        await reference.up()
        async with (
            Receiver().listening() as receiver,
            prober(receiver, tmp_path, [journey(shop)], f"tcp://127.0.0.1:{reference.port}"),
        ):
            await receiver.wait_for(lambda: len(receiver.results()) >= 5)
        assert reference.asked == 1  # when the prober started


async def test_a_shop_that_answers_badly_is_blamed_even_while_the_way_out_is_closed(tmp_path: Path) -> None:
    async with Target() as shop:
        await shop.up()
        wrong = journey(shop, steps=[{"get": "/", "expect": {"status": 418}}])
        async with Receiver().listening() as receiver, prober(receiver, tmp_path, [wrong], "tcp://127.0.0.1:1"):
            await fires(receiver, "JourneyDown")
        assert reasons(receiver) == {"status"}


async def test_a_prober_without_file_descriptors_is_in_trouble_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Target() as shop:
        await shop.up()

        async def none_left(address: str, port: int) -> socket.socket:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        run = _run(tmp_path, monkeypatch, none_left)
        async with Receiver().listening() as receiver, prober(receiver, tmp_path, [journey(shop)], run=run):
            await fires(receiver, TROUBLE)
        assert reasons(receiver) == {"prober"}
        assert alerts(receiver, "JourneyDown") == []
        assert "Too many open files" in receiver.alerts()[0]["annotations"]["summary"]


def _run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, connect: Callable[[str, int], Awaitable[socket.socket]]
) -> Callable[[Journey], Awaitable[Result]]:
    """Runs for which `connect` stands for the system's; everything else opens sockets as ever."""

    async def run(one: Journey) -> Result:
        context = RunContext(folder, Environment({}))
        with monkeypatch.context() as patched:
            patched.setattr("probes.http.connect._connect", connect)
            return await run_journey(one, context)

    return run


async def test_a_disk_that_takes_no_more_is_trouble_of_the_probers_own(tmp_path: Path) -> None:
    in_the_way = tmp_path / "state.new"
    in_the_way.mkdir()
    async with Target() as shop:
        await shop.up()
        async with Receiver().listening() as receiver, prober(receiver, tmp_path, [journey(shop)]):
            await receiver.wait_for(lambda: alerts(receiver, TROUBLE) == ["fires"])
            in_the_way.rmdir()
            await receiver.wait_for(lambda: alerts(receiver, TROUBLE) == ["fires", "ends"])
        assert "cannot be saved" in receiver.alerts()[0]["annotations"]["summary"]
        assert reasons(receiver) == set()


async def test_a_machine_that_stands_still_again_and_again_is_trouble_and_once_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("probes.prober.doubts.STALL", 0.3)
    doubts = Doubts("local")
    task = asyncio.create_task(doubts.run())
    said = []
    for _ in range(3):
        await asyncio.sleep(0.01)
        time.sleep(0.8)
        await asyncio.sleep(0.05)
        said.append(doubts.said() is not None)
    assert said == [False, False, True]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_run_that_was_slow_because_the_prober_stood_still_says_nothing_about_the_shop() -> None:
    doubts = Doubts("local")
    task = asyncio.create_task(doubts.run())
    await asyncio.sleep(0.01)
    time.sleep(0.9)
    await asyncio.sleep(0.05)
    step = Step("look", "catalog", Outcome.DEGRADED, Reason.LATENCY, seen="0.9 s", duration_s=0.9)
    slow = Result("checkout", "catalog", "r", Outcome.DEGRADED, datetime.now(UTC), 0.9, [step])
    assert not await doubts.consider(journey(Target()), slow)
    assert step.reason is Reason.PROBER
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _more_than(receiver: Receiver, before: int) -> bool:
    return len(receiver.alerts()) > before


async def test_a_trouble_that_goes_on_over_a_restart_is_the_same_alert(tmp_path: Path) -> None:
    async with Target() as shop, Receiver().listening() as receiver:
        for _ in range(2):
            async with prober(receiver, tmp_path, [journey(shop)], "tcp://127.0.0.1:1"):
                before = len(receiver.alerts())
                await receiver.wait_for(partial(_more_than, receiver, before))
                await asyncio.sleep(0.5)
        assert alerts(receiver, TROUBLE) == ["fires"]
        assert len({alert["startsAt"] for alert in receiver.alerts()}) == 1


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("tcp://127.0.0.1:1", "Connection refused"),
        ("http://127.0.0.1:1/", "Connection refused"),
        ("dns:nowhere.invalid", "cannot be resolved"),
    ],
    ids=["tcp", "http", "dns"],
)
async def test_what_came_instead_of_an_answer_is_said(reference: str, said: str) -> None:
    trouble = await closed_way([reference], 2.0)
    assert trouble is not None
    assert reference in trouble
    assert said in trouble or "no answer within" in trouble


async def test_a_reference_that_never_answers_costs_its_patience_and_no_more(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = asyncio.get_running_loop().time()
        trouble = await closed_way([f"http://127.0.0.1:{silent.getsockname()[1]}/"], 0.3)
        assert trouble is not None
        assert asyncio.get_running_loop().time() - started < 2.0
