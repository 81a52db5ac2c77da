"""Whose fault is a failed run? Pure: what other runs saw meanwhile, and when the prober itself stood still.

When nothing can be reached any more, it is rarely the shop that is gone. *Everything fails* means: of the hosts that
runs of other journeys have had to do with since the failing step began, eight in ten could not be reached either. Where
no other run has ended since, this one is everything there is.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from probes.result import Outcome, Reason, Result, Step

UNREACHED = frozenset({Reason.DNS, Reason.CONNECT, Reason.TLS, Reason.TIMEOUT})
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
    ended: float
    host: str
    reached: bool


@dataclass
class Suspicion:
    """Instants are seconds of one monotonic clock."""

    _last: dict[str, _Seen] = field(default_factory=dict)  # by journey
    _pauses: deque[Pause] = field(default_factory=deque)

    def saw(self, result: Result, host: str, now: float) -> None:
        failed = result.failed
        reached = failed is None or failed.reason not in UNREACHED
        self._last[result.journey] = _Seen(now, host, reached)

    def forget(self, journeys: Mapping[str, object]) -> None:
        """Keeps what is known of these journeys only."""
        self._last = {name: seen for name, seen in self._last.items() if name in journeys}

    def everything_fails(self, journey: str, since: float) -> bool:
        """Also true where there is nothing else to compare with."""
        reached: dict[str, bool] = {}
        for name, seen in self._last.items():
            if name != journey and seen.ended >= since:
                reached[seen.host] = reached.get(seen.host, False) or seen.reached
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
