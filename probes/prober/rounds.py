"""The prober's rounds: runs journeys on their schedule, judges the results, reports alerts and results.

It needs nobody: while the daemon is away everything waits on disk, and what was firing before a restart still is
after it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import structlog

from probes.alert import Alert
from probes.language.journey import Journey
from probes.prober import memory
from probes.prober.changes import Changes, compare
from probes.prober.doubts import GRACE, Doubts
from probes.prober.report import Reporter
from probes.prober.rules import RESEND, JourneyState, due, judge, not_before, says_nothing
from probes.prober.schedule import Schedule
from probes.prober.standing import Said, stand
from probes.result import Outcome, Reason, Result, Step

log = structlog.get_logger("prober")

RunJourney = Callable[[Journey], Awaitable[Result]]
LOOK_AROUND = 1.0  # seconds between looks at what is to be said again
REMEMBER_EVERY = 5.0  # seconds between saves, where no alert asks for one at once
FIRST_LOOK = 30.0  # seconds after a start in which an alert of the prober's own is not taken to be over
PIECES_AT_ONCE = 50  # journeys whose state is written down before others get their turn: some 2 ms
APART = 0.05  # seconds between journeys that are repeated because the way out is open again
GOODBYE = 0.4  # seconds that runs have to end when the prober is told to


class Rounds:
    """`run` never raises for what a target does, and comes back in time; a bug that breaks that is a failed run."""

    def __init__(
        self,
        journeys: Sequence[Journey],
        run: RunJourney,
        reporter: Reporter,
        memory_file: Path,
        *,
        location: str = "local",
        resend: timedelta = RESEND,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        doubts: Doubts | None = None,
    ) -> None:
        self._journeys = {journey.name: journey for journey in journeys}
        self._run_journey = run
        self._reporter = reporter
        self._memory_file = memory_file
        self._location = location
        self._resend = resend
        self._now = now
        self._remembered = memory.load(memory_file)
        self._forget_the_removed()
        self._runs: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()  # runs of journeys that were taken out meanwhile
        self._fresh: list[Alert] = []
        self._alarm = asyncio.Event()
        self._said: dict[str, Said] = {}
        self._unsure = set(self._remembered.own)  # fired before the start, and nobody has looked since
        self._confirming: set[str] = set()  # journeys whose next run is to decide about a failure
        self.doubts = doubts or Doubts(location)
        self.doubts.on_news(self._alarm.set)
        self.doubts.on_open(self._repeat)

    @property
    def journeys(self) -> Mapping[str, Journey]:
        """Those that run now, by name."""
        return self._journeys

    async def serve(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then everything has ended and is on disk. Raises what broke inside, if anything did."""
        self._schedule = Schedule(self._start, wall_clock=lambda: self._now().timestamp(), location=self._location)
        for journey in self._journeys.values():
            self._schedule.add(journey.name, journey.every, last_run=self._remembered.last_runs.get(journey.name))
        self._started = asyncio.get_running_loop().time()
        parts = (self._reporter.run(), self._courier(), self.doubts.run())
        helpers = [asyncio.create_task(part) for part in parts]
        stopped = asyncio.create_task(stop.wait())
        log.info("prober started", journeys=len(self._journeys), location=self._location)
        try:
            await asyncio.wait([stopped, *helpers], return_when=asyncio.FIRST_COMPLETED)
            broken = [helper for helper in helpers if helper.done()]
        finally:
            self._schedule.close()
            await _end([*self._runs, *helpers, stopped])
            await self._say(self._fresh)
            await self._save(durable=True)
            self._reporter.close()
        for helper in broken:
            helper.result()
        log.info("prober ended")

    def _forget_the_removed(self) -> None:
        """The alert of a journey that was taken out goes stale with its receiver: nobody knows whether it is over."""
        for name in set(self._remembered.states) - set(self._journeys):
            state = self._remembered.states.pop(name)
            if state.firing:
                log.warning("a journey was removed while its alert was firing", journey=name)
        self._remembered.last_runs = {n: t for n, t in self._remembered.last_runs.items() if n in self._journeys}
        self._remembered.unsaid.intersection_update(self._journeys)

    def replace(self, journeys: Iterable[Journey]) -> Changes:
        """From now on these run. What stays keeps its place in the schedule and its alert; a run that is under way ends
        by the old definition."""
        new = {journey.name: journey for journey in journeys}
        changes = compare(self._journeys, new)
        self._journeys = new
        self._forget_the_removed()
        self.doubts.forget(new)
        for name in changes.removed:
            self._schedule.remove(name)
        self._ending |= {task for task in self._runs if task.get_name() in changes.removed}
        for name in changes.added:
            self._schedule.add(name, new[name].every)
        for name in changes.paced:
            self._schedule.change(name, new[name].every)
        return changes

    def _start(self, name: str, lag: float) -> None:
        if any(task.get_name() == name for task in self._ending):  # it was taken out and is back, and still runs
            self._schedule.finished(name)
            return
        task = asyncio.create_task(self._run(self._journeys[name], lag), name=name)
        self._runs.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._runs.discard(task)
        self._ending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a result could not be judged", journey=task.get_name(), exc_info=error)

    async def _run(self, journey: Journey, lag: float) -> None:
        sooner, confirms = None, journey.name in self._confirming
        self._confirming.discard(journey.name)
        self._remembered.last_runs[journey.name] = self._now().timestamp()
        try:
            result = await self._guarded(journey)
            result.lag_s, result.confirms = round(lag, 6), confirms
            counts = await self.doubts.consider(journey, result)
            self._note(journey.name, counts)
            if asyncio.current_task() not in self._ending:
                if counts and not says_nothing(self._remembered.states.get(journey.name, JourneyState()), result):
                    sooner = not_before(self._judge(journey, result), result.retry_after_s, journey.every)
                else:
                    self._only_report(journey, result)
                    sooner = journey.alert.confirm or None if self.doubts.unsure_of(journey.name) else None
        finally:
            if sooner is not None:
                self._confirming.add(journey.name)
            self._schedule.finished(journey.name, sooner)

    def _note(self, name: str, counts: bool) -> None:
        if counts:
            self._remembered.unsaid.discard(name)
        else:
            self._remembered.unsaid.add(name)

    def _repeat(self) -> None:
        """The runs that counted for nothing, soon, and not all at once: now they can tell how the shop is."""
        names = sorted(self._remembered.unsaid & self._journeys.keys())
        for number, name in enumerate(name for name in names if self._journeys[name].alert.confirm):
            self._schedule.hasten(name, max(self._journeys[name].alert.confirm, GRACE) + number * APART)

    async def _guarded(self, journey: Journey) -> Result:
        began, loop = self._now(), asyncio.get_running_loop()
        start = loop.time()
        try:
            async with asyncio.timeout(2 * journey.timeout + 60):  # far past what any run may take
                return await self._run_journey(journey)
        except Exception as error:  # one broken run must not end the others; it is said, and fails
            log.error("a run broke the prober's own rules", journey=journey.name, exc_info=error)
            seen = f"{type(error).__name__}: {error}"[:2048]
            step = Step("run", journey.service, Outcome.DOWN, Reason.PROBER, "a result", seen)
            return Result(
                journey.name, journey.service, uuid4().hex, Outcome.DOWN, began, loop.time() - start, [step],
                labels=dict(journey.labels), location=self._location,
            )  # fmt: skip

    def _judge(self, journey: Journey, result: Result) -> float | None:
        state = self._remembered.states.get(journey.name, JourneyState())
        last = state.history[-1].outcome if state.history else Outcome.UP
        state, alerts, sooner = judge(journey.alert, state, result, self._now(), resend=self._resend)
        self._remembered.states[journey.name] = state
        self._reporter.results(result.to_json())
        if result.outcome is not last:
            failed = {"step": step.name, "reason": step.reason} if (step := result.failed) else {}
            log.info(f"journey is {result.outcome}", journey=journey.name, run=result.run_id, **failed)
        if alerts:
            self._fresh += alerts
            self._alarm.set()
        return sooner

    def _only_report(self, journey: Journey, result: Result) -> None:
        """The prober's own trouble: the shop is neither the worse nor the better for it."""
        self._reporter.results(result.to_json())
        seen = failed.seen if (failed := result.failed) else None
        log.debug("a run says nothing about the shop", journey=journey.name, run=result.run_id, why=seen)

    def say(self, name: str, said: Said | None) -> None:
        """From now on this is so, until it is called again with None: one alert for each `name`."""
        if said is None:
            self._said.pop(name, None)
        else:
            self._said[name] = said
        self._alarm.set()

    def _stand(self) -> list[Alert]:
        own, alerts, now = self._remembered.own, list[Alert](), self._now()
        trouble = self._reporter.trouble
        self.doubts.cause("spool", None if trouble is None else f"its reports cannot be put on disk: {trouble}")
        self._said |= {"prober": said} if (said := self.doubts.said()) else {}
        if said is None:
            self._said.pop("prober", None)
        for name in {*own, *self._said}:
            state = own.get(name, JourneyState())
            if name in self._said:
                self._unsure.discard(name)
            elif name in self._unsure and self._just_started():
                continue
            own[name], fresh = stand(state, self._said.get(name), now, resend=self._resend)
            alerts += fresh
            if own[name].quiet:
                del own[name]
        return alerts

    def _just_started(self) -> bool:
        return asyncio.get_running_loop().time() - self._started < FIRST_LOOK

    async def _courier(self) -> None:
        """Says what is new at once, and what is still true from time to time; saves what is remembered first."""
        loop = asyncio.get_running_loop()
        saved = loop.time()
        while True:
            fresh, self._fresh = self._fresh, []
            self._alarm.clear()
            alerts = fresh + self._stand() + self._say_again()
            if alerts or loop.time() - saved >= REMEMBER_EVERY:
                await self._save(durable=bool(alerts))
                saved = loop.time()
                await self._say(alerts)
            try:
                async with asyncio.timeout(LOOK_AROUND):
                    await self._alarm.wait()
            except TimeoutError:
                continue

    def _say_again(self) -> list[Alert]:
        now, alerts = self._now(), []
        for states in (self._remembered.states, self._remembered.own):
            for name, state in states.items():
                if state.firing or state.over:
                    states[name], again = due(state, now, resend=self._resend)
                    alerts += again
        return alerts

    async def _say(self, alerts: list[Alert]) -> None:
        if alerts:
            await self._reporter.alerts(alerts, self._now())

    async def _save(self, *, durable: bool) -> None:
        pieces: list[str] = []
        for piece in self._remembered.text():
            pieces.append(piece)
            if len(pieces) % PIECES_AT_ONCE == 0:
                await asyncio.sleep(0)
        try:
            await asyncio.to_thread(memory.save, self._memory_file, "".join(pieces), durable=durable)
        except OSError as error:
            log.error("what the prober remembers cannot be saved", file=str(self._memory_file), error=str(error))
            self.doubts.cause("memory", f"what it remembers cannot be saved: {error.strerror or error}")
        else:
            self.doubts.cause("memory", None)


async def _end(tasks: Sequence["asyncio.Task[None] | asyncio.Task[bool]"]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=GOODBYE)
        if late:
            log.warning("runs did not end in time", journeys=sorted(task.get_name() for task in late)[:20])
