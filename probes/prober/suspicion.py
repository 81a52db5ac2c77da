"""Whose fault is a failed run? Pure: what other runs saw meanwhile, and when the prober itself stood still.

When nothing can be reached any more, it is rarely the shop that is gone. *Everything fails* means: of the hosts that
other journeys have to do with, no more than two in ten were reached since this one was first found unreachable (since
the failing step began, where this is the first time). Where there is no other, this one is everything there is; but one
that fails again, and the others were reached in between, is alone in that.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from probes.result import Outcome, Reason, Result, Step

UNREACHED = frozenset({Reason.DNS, Reason.CONNECT, Reason.TLS, Reason.TIMEOUT})
SAYS_NOTHING = frozenset({Reason.FRESHNESS, Reason.CONFIG, Reason.PROBER})  # about what can be reached at its end
SHARE = 0.8
SLOW = frozenset({Reason.TIMEOUT, Reason.LATENCY})
LONG_PAUSE = 5.0  # seconds after which connections that were open before may be gone
KEPT = 600.0  # seconds for which pauses are remembered


@dataclass(frozen=True, slots=True)
class Pause:
    """The prober stood still for `seconds`, noticed at `at` (monotonic): the machine was busy, or asleep."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class _Seen:
    """Of a journey's last run. `failing_since`: the end of the first of the runs in a row that reached nothing, None
    where this one did. `before`: a host that it had reached until it failed at another step, and when that was."""

    ended: float
    host: str
    failing_since: float | None
    before: tuple[str, float] | None = None


@dataclass
class Suspicion:
    """Instants are seconds of one monotonic clock."""

    _last: dict[str, _Seen] = field(default_factory=dict)  # by journey
    _pauses: deque[Pause] = field(default_factory=deque)

    def saw(self, result: Result, host: str, now: float) -> None:
        failed = result.failed
        if failed is not None and failed.reason in UNREACHED:
            known = self._last.get(result.journey)
            since = now if known is None or known.failing_since is None else known.failing_since
            self._last[result.journey] = _Seen(now, host, since, _before(result, failed, now))
        elif any(step.url or step.phases for step in result.steps) and not (failed and failed.reason in SAYS_NOTHING):
            ended = now if not result.cleanup else now - result.duration_s + sum(s.duration_s for s in result.steps)
            self._last[result.journey] = _Seen(ended, host, None)

    def forget(self, journeys: Mapping[str, object]) -> None:
        """Keeps what is known of these journeys only."""
        self._last = {name: seen for name, seen in self._last.items() if name in journeys}

    def begin_anew(self) -> None:
        """What could not be reached so far says nothing any more: the way out was closed, and is open."""
        self._last = {name: seen for name, seen in self._last.items() if seen.failing_since is None}

    def failing_since(self, journey: str, step_began: float) -> float:
        """From when on others can bear witness whether it is this journey alone that reaches nothing."""
        seen = self._last.get(journey)
        return step_began if seen is None or seen.failing_since is None else min(seen.failing_since, step_began)

    def got_somewhere(self, journey: str) -> bool:
        """Its last run reached what it wanted, or did so until a later step."""
        seen = self._last.get(journey)
        return seen is not None and (seen.failing_since is None or seen.before is not None)

    def everything_fails(self, journey: str | None, since: float) -> bool:
        """Also true where there is nothing else to compare with. None: of all journeys none is in question."""
        reached: dict[str, bool] = {}
        for name, seen in self._last.items():
            if name != journey:
                well = seen.failing_since is None and seen.ended >= since
                reached[seen.host] = reached.get(seen.host, False) or well
            if seen.before is not None and seen.before[1] > since:
                reached[seen.before[0]] = True
        return sum(not well for well in reached.values()) >= SHARE * len(reached)

    def paused(self, pause: Pause) -> None:
        self._pauses.append(pause)
        while self._pauses and pause.at - self._pauses[0].at > KEPT:
            self._pauses.popleft()

    def pauses_since(self, since: float) -> list[Pause]:
        return [pause for pause in self._pauses if pause.at >= since]

    def stood_still(self, failed: Step, began: float) -> float:
        """Seconds that explain why this step of a run that `began` then failed; 0.0 where they explain nothing."""
        seconds = sum(pause.seconds for pause in self.pauses_since(began))
        if failed.reason in SLOW:
            return seconds if seconds >= failed.duration_s / 2 else 0.0
        if failed.reason in UNREACHED:
            return seconds if seconds >= LONG_PAUSE else 0.0
        return 0.0


def host_of(result: Result, base: str | None) -> str:
    """The host that the run had to do with last."""
    for step in reversed(result.steps):
        if step.url and step.outcome is not Outcome.SKIPPED:
            return _host(step.url)
    return _host(base or "")


def _before(result: Result, failed: Step, now: float) -> tuple[str, float] | None:
    """The host that steps before the failed one have reached, and the latest moment at which that can have been."""
    for step in reversed(result.steps[: result.steps.index(failed)]):
        if step.url and step.outcome is not Outcome.SKIPPED:
            ended = now - result.duration_s + sum(s.duration_s for s in result.steps if s is not failed)
            return _host(step.url), min(ended, now - failed.duration_s)
    return None


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def blame_the_prober(result: Result, why: str) -> None:
    """The run failed for a reason of the prober's own, which is said beside what was seen."""
    failed = result.failed
    if failed is None:
        return
    seen = f" ({failed.reason}: {failed.seen})" if failed.seen else ""
    failed.reason, failed.seen = Reason.PROBER, f"{why}{seen}"[:2048]
