"""The prober doubts itself before it blames the shop: its way out, its own pace, its disk.

A run that fails for such a reason gets the reason `prober` and counts for nothing. What is wrong with the prober is one
alert, however many journeys suffer from it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from probes.duration import format_duration
from probes.language.journey import Journey
from probes.prober.standing import Said
from probes.prober.suspicion import UNREACHED, Pause, Suspicion, blame_the_prober, host_of
from probes.prober.wayout import closed_way
from probes.result import Outcome, Reason, Result

log = structlog.get_logger("prober")

TROUBLE = "ProberTrouble"
SEVERITY = "SEV3"
LOOK_AGAIN = 5.0  # seconds between looks at a way out that is closed
FRESH = 1.0  # seconds for which a way out that was seen open is taken to be so
GRACE = 2.0  # seconds after the way out is open again in which connections may still be dead
BEAT = 0.25  # seconds between two looks at how late the loop is
STALL = 2.0  # seconds
STALLS = 3  # so many within a minute are trouble
OWN_FAILURES = 2  # runs of one journey in a row that fail for a reason of the prober's own
MOST_SAID = 5
WAS_CLOSED = "the prober's way out was closed while this ran"

Check = Callable[[Sequence[str]], Awaitable[str | None]]


class Doubts:
    """`references` may change while it runs."""

    def __init__(self, location: str, references: Sequence[str] = (), *, check: Check = closed_way) -> None:
        self.references = tuple(references)
        self._location = location
        self._news: Callable[[], None] = lambda: None
        self._open: Callable[[], None] = lambda: None
        self._check = check
        self._suspicion = Suspicion()
        self._causes: dict[str, str] = {}
        self._own_failures: dict[str, int] = {}
        self._open_at = float("-inf")  # when the way out was last seen open
        self._closed_at = float("-inf")  # when it was found closed
        self._mended_at = float("-inf")  # when it was open again after having been closed
        self._again: set[str] = set()  # journeys of which another run soon would tell whose fault it is
        self._looked_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._stalls: deque[float] = deque(maxlen=STALLS)

    def on_news(self, call: Callable[[], None]) -> None:
        """`call` is called when `said()` may say something else than before."""
        self._news = call

    def on_open(self, call: Callable[[], None]) -> None:
        """`call` is called when the way out is open again: runs that counted for nothing are worth repeating."""
        self._open = call

    async def run(self) -> None:
        """Keeps an eye on the prober's own pace, until cancelled."""
        loop = asyncio.get_running_loop()
        before, asleep = loop.time(), _asleep()
        greeting = asyncio.create_task(self._try_references())
        try:
            while True:
                await asyncio.sleep(BEAT)
                now, slept = loop.time(), _asleep()
                late = max(now - before - BEAT, 0.0) + max(slept - asleep, 0.0)
                if late >= BEAT:
                    self._paused(now, late)
                elif "pace" in self._causes and now - self._stalls[-1] > 60.0:
                    self.cause("pace", None)
                if "way out" in self._causes and self._looking is None and now - self._looked_at >= LOOK_AGAIN:
                    self._start_looking()
                before, asleep = now, slept
        finally:
            greeting.cancel()
            if self._looking is not None:
                self._looking.cancel()

    async def _try_references(self) -> None:
        """Once, at the start: what never answers is no reference."""
        if self.references and (trouble := await self._check(self.references)) is not None:
            log.warning("no reference target answers, none of them is of use", trouble=trouble)

    async def consider(self, journey: Journey, result: Result) -> bool:
        """Whether the result says something about the shop. Where not, its reason is `prober` when this returns."""
        loop = asyncio.get_running_loop()
        now, failed = loop.time(), result.failed
        self._suspicion.saw(result, host_of(result, journey.base), now)
        self._again.discard(journey.name)
        if "way out" in self._causes and self._suspicion.got_somewhere(journey.name):
            self._reconsider(now)
        if failed is None:
            self._own_failures.pop(journey.name, None)
            self.cause(f"journey {journey.name}", None)
            return True
        why = self._stood_still(result, now) or await self._unreachable(journey, result, now)
        if why is not None:
            blame_the_prober(result, why)
            return False
        return not self._own_failure(journey, result)

    def cause(self, name: str, text: str | None) -> None:
        """Something is wrong with the prober itself (`text` for people), or no longer is (None)."""
        if self._causes.get(name) == text:
            return
        if text is None:
            log.info("the prober is well again", cause=name)
            del self._causes[name]
        else:
            log.error("the prober itself is in trouble", cause=name, problem=text)
            self._causes[name] = text
        self._news()

    def unsure_of(self, journey: str) -> bool:
        """It failed for a reason of the prober's own, and another run soon would tell whether it stays so."""
        return journey in self._again or 0 < self._own_failures.get(journey, 0) < OWN_FAILURES

    def forget(self, journeys: Iterable[str]) -> None:
        """Only these journeys are left."""
        left = dict.fromkeys(journeys)
        self._suspicion.forget(left)
        self._again.intersection_update(left)
        for name in [name for name in self._own_failures if name not in left]:
            del self._own_failures[name]
            self.cause(f"journey {name}", None)

    @property
    def troubles(self) -> list[str]:
        """Each of them once, in words."""
        return list(dict.fromkeys(self._causes.values()))

    def said(self) -> Said | None:
        """The alert that this is."""
        troubles = self.troubles
        if not troubles:
            return None
        more = f" (and {len(troubles) - MOST_SAID} more)" if len(troubles) > MOST_SAID else ""
        text = "; ".join(troubles[:MOST_SAID]) + more
        summary = f"the prober at {self._location} is in trouble itself: {text}"[:1000]
        labels = {"alertname": TROUBLE, "severity": SEVERITY, "location": self._location}
        return Said(labels, {"summary": summary, "reason": str(Reason.PROBER)})

    def _own_failure(self, journey: Journey, result: Result) -> bool:
        """Failures that carry the reason `prober` already: no free account, no file descriptor, a defect."""
        failed, name = result.failed, journey.name
        if failed is None or failed.reason is not Reason.PROBER:
            self._own_failures.pop(name, None)
            self.cause(f"journey {name}", None)
            return False
        self._own_failures[name] = self._own_failures.get(name, 0) + 1
        if self._own_failures[name] >= OWN_FAILURES:
            self.cause(f"journey {name}", f"{name} cannot run: {(failed.seen or 'no reason is known')[:200]}")
        return True

    def _stood_still(self, result: Result, now: float) -> str | None:
        failed = result.failed
        if failed is None:
            return None
        seconds = self._suspicion.stood_still(failed, now - result.duration_s - BEAT)
        return f"the prober stood still for {format_duration(round(seconds, 1))}" if seconds else None

    async def _unreachable(self, journey: Journey, result: Result, now: float) -> str | None:
        failed = result.failed
        if failed is None or result.outcome is not Outcome.DOWN or not self.references:
            return None
        known = self._causes.get("way out")
        if failed.reason not in UNREACHED and not (known and failed.reason is Reason.FRESHNESS):
            return None
        if known is None and now - result.duration_s < self._mended_at + GRACE:
            self._again.add(journey.name)
            return WAS_CLOSED
        began = now - failed.duration_s
        since = self._suspicion.failing_since(journey.name, began)
        if known is not None:  # who was reached before that can say nothing about it
            since = max(since, self._closed_at)
        suspected = self._suspicion.everything_fails(journey.name, since)
        if suspected != (known is not None):  # something changed: does the way out still look as it did?
            await self._look(began)
            if known is not None and "way out" not in self._causes:
                self._again.add(journey.name)
                return WAS_CLOSED
        why = self._causes.get("way out") if suspected else None
        if why is not None and self._suspicion.got_somewhere(journey.name):
            self._again.add(journey.name)
        return why

    async def _look(self, since: float) -> None:
        """Looks at the way out, once for all that ask at the same time; what was seen open lately is open."""
        if self._looking is None and self._open_at < min(since, asyncio.get_running_loop().time() - FRESH):
            self._start_looking()
        if self._looking is not None:
            await asyncio.wait([self._looking])

    def _start_looking(self) -> None:
        self._looking = asyncio.create_task(self._look_once(), name="way out")
        self._looking.add_done_callback(self._looked)

    def _looked(self, task: asyncio.Task[None]) -> None:
        self._looking = None

    async def _look_once(self) -> None:
        references, loop = self.references, asyncio.get_running_loop()
        try:
            trouble = await self._check(references) if references else None
        except Exception as error:  # a check that breaks proves nothing, and must not silence the shop's alerts
            log.error("the way out could not be checked", exc_info=error)
            trouble = None
        self._looked_at = loop.time()
        if trouble is not None:
            if "way out" not in self._causes:
                self._closed_at = self._looked_at
            self.cause("way out", f"it reaches none of its reference targets: {trouble}"[:500])
            return
        self._open_at = self._looked_at
        if "way out" in self._causes:
            self._suspicion.begin_anew()
            self._is_open(self._open_at)

    def _reconsider(self, now: float) -> None:
        if not self._suspicion.everything_fails(None, self._closed_at):
            self._is_open(now)

    def _is_open(self, now: float) -> None:
        """After it was closed: a reference answers, or others reach what they want, so that not everything fails."""
        self._mended_at = now
        self.cause("way out", None)
        self._open()

    def _paused(self, now: float, seconds: float) -> None:
        self._suspicion.paused(Pause(now, seconds))
        if seconds >= STALL:
            log.warning("the prober stood still", seconds=round(seconds, 1))
            self._stalls.append(now)
            if len(self._stalls) == STALLS and now - self._stalls[0] <= 60.0:
                self.cause("pace", "its machine is too busy: it stands still for seconds at a time")


def _asleep() -> float:
    """Seconds that the machine was suspended since it was started; their number only ever grows by sleeping."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
