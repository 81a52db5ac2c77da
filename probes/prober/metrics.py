"""Results as Prometheus metrics: fed with the JSON of results, wherever they come from, and scraped from a registry.

A collector of its own rather than prometheus-client's metric classes: a journey's labels are on its metrics, so that
the label names differ from series to series. The reference for users is docs/metrics.md.
"""

import re
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sized
from itertools import accumulate
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from probes.result import Outcome, Reason
from probes.running.ledger import LEFT_OVER

STEP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MOST_SERIES = 20_000  # of label sets; more would be somebody's mistake, and would eat the memory of two programs
OWN = frozenset({"journey", "service", "location", "outcome", "step", "reason", "state", "le"})
_NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_]")

Labels = tuple[tuple[str, str], ...]


class _Histogram:
    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * (buckets + 1)
        self.total = 0.0


class ProbeMetrics(Collector):
    """`observe` may be called from one thread while another scrapes."""

    def __init__(self, registry: CollectorRegistry | None = None, *, most_series: int = MOST_SERIES) -> None:
        self._lock = threading.Lock()
        self._most = most_series
        self._dropped = 0
        self._runs: dict[Labels, int] = {}
        self._failures: dict[Labels, int] = {}
        self._steps: dict[Labels, _Histogram] = {}
        self._attempts: dict[Labels, int] = {}
        self._confirmations: dict[Labels, int] = {}
        self._leftovers: dict[Labels, dict[str, int]] = {}  # by journey and place, and by state
        self._lag = _Histogram(len(LAG_BUCKETS))
        if registry is not None:
            registry.register(self)

    def observe(self, result: Mapping[str, Any]) -> None:
        """`result`: as Result.to_json() gives it. Raises KeyError, TypeError or ValueError for anything else."""
        journey = str(result["journey"])
        extra = _extra(result.get("labels") or {})
        outcome = _outcome(result)
        run = {
            "journey": journey, "service": str(result["service"]), "location": str(result["location"]),
            "outcome": outcome,
        }  # fmt: skip
        steps = [
            (str(s["name"]), str(Outcome(s["outcome"])), s["reason"], float(s["duration_s"]), int(s.get("attempts", 1)))
            for s in result["steps"]
        ]
        lag = result.get("lag_s")
        left = result.get("leftovers")
        counts = None if left is None else {state: int(left[state]) for state in LEFT_OVER if state in left}
        with self._lock:
            self._count_run(extra, run)
            if result.get("confirms"):
                self._count(self._confirmations, _key(extra, {"journey": journey, "location": run["location"]}))
            for name, step_outcome, reason, seconds, attempts in steps:
                if step_outcome == Outcome.SKIPPED:
                    continue
                self._time(_key(extra, {"journey": journey, "step": name}), seconds)
                self._count(self._attempts, _key(extra, {"journey": journey, "step": name}), max(1, attempts))
                if reason is not None:
                    failure = {"journey": journey, "step": name, "reason": str(Reason(reason))}
                    self._count(self._failures, _key(extra, failure))
            if counts is not None:
                self._leave(_key(extra, {"journey": journey, "location": run["location"]}), counts)
            if lag is not None:
                _put(self._lag, LAG_BUCKETS, float(lag))

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            return [
                _counter("shopwatch_probe_runs", "Runs of journeys, by their outcome.", self._runs),
                _counter("shopwatch_probe_failures", "Steps that failed or were too slow, by reason.", self._failures),
                _histogram(
                    "shopwatch_probe_step_duration_seconds",
                    "How long a step took, its waits for `until` included.",
                    self._steps,
                    STEP_BUCKETS,
                ),
                _counter(
                    "shopwatch_probe_step_attempts",
                    "How often steps were tried: more often than they ran means that they were tried again.",
                    self._attempts,
                ),
                _counter(
                    "shopwatch_probe_confirmations",
                    "Runs that came sooner than their turn, because the run before had failed.",
                    self._confirmations,
                ),
                _leftover_gauge(self._leftovers),
                _histogram(
                    "shopwatch_probe_schedule_lag_seconds",
                    "How late runs started.",
                    {(): self._lag},
                    LAG_BUCKETS,
                ),
                _counter(
                    "shopwatch_probe_series_dropped",
                    "Observations left out because there were too many different label sets.",
                    {(): self._dropped},
                ),
            ]

    def _room(self) -> bool:
        kept: tuple[Sized, ...] = (
            self._runs,
            self._failures,
            self._steps,
            self._attempts,
            self._confirmations,
            self._leftovers,
        )
        if sum(map(len, kept)) < self._most:
            return True
        self._dropped += 1
        return False

    def _count_run(self, extra: Mapping[str, str], run: Mapping[str, str]) -> None:
        """The other outcomes begin at 0 with the first run: the share of good runs of a journey that was never well is
        0 and not unknown, and `increase` sees its first failure."""
        for outcome in sorted({*map(str, (Outcome.UP, Outcome.DEGRADED, Outcome.DOWN)), run["outcome"]}):
            self._count(self._runs, _key(extra, {**run, "outcome": outcome}), int(outcome == run["outcome"]))

    def _count(self, counts: dict[Labels, int], key: Labels, by: int = 1) -> None:
        if key in counts:
            counts[key] += by
        elif self._room():
            counts[key] = by

    def _leave(self, key: Labels, counts: Mapping[str, int]) -> None:
        """A state that nothing is in any more stays, as 0."""
        known = self._leftovers.get(key)
        if known is not None:
            known.update({**dict.fromkeys(known, 0), **counts})
        elif counts and self._room():
            self._leftovers[key] = dict(counts)

    def _time(self, key: Labels, seconds: float) -> None:
        histogram = self._steps.get(key)
        if histogram is None:
            if not self._room():
                return
            histogram = self._steps[key] = _Histogram(len(STEP_BUCKETS))
        _put(histogram, STEP_BUCKETS, seconds)


def _outcome(result: Mapping[str, Any]) -> str:
    """The run's, or `prober` where what failed is not the shop's doing and counts neither for it nor against it."""
    outcome = Outcome(result["outcome"])
    failed = next((step for step in result["steps"] if step["outcome"] == Outcome.DOWN), None)
    return "prober" if outcome is Outcome.DOWN and failed and failed["reason"] == Reason.PROBER else str(outcome)


def _put(histogram: _Histogram, buckets: tuple[float, ...], value: float) -> None:
    histogram.counts[bisect_left(buckets, value)] += 1
    histogram.total += value


def _extra(labels: Any) -> dict[str, str]:
    """The journey's labels with names that Prometheus takes; one that is taken already becomes `exported_…`.

    Raises TypeError for what is no mapping.
    """
    if not isinstance(labels, Mapping):
        raise TypeError(f"labels are names with values, not {labels!r}")
    named: dict[str, str] = {}
    for name, value in sorted(labels.items()):
        safe = _NOT_A_NAME.sub("_", str(name)) or "_"
        if safe[0].isdigit():
            safe = f"_{safe}"
        if safe in OWN or safe in named or safe.startswith("__"):
            safe = f"exported_{safe.lstrip('_')}"
        named[safe] = str(value)
    return named


def _key(extra: Mapping[str, str], own: Mapping[str, str]) -> Labels:
    return tuple({**own, **extra}.items())


def _counter(name: str, text: str, counts: Mapping[Labels, int]) -> Metric:
    metric = Metric(name, text, "counter")
    for labels, count in counts.items():
        metric.add_sample(f"{name}_total", dict(labels), count)
    return metric


def _leftover_gauge(leftovers: Mapping[Labels, Mapping[str, int]]) -> Metric:
    text = "Things that runs may have left in the shop, by what is known of them."
    metric = Metric("shopwatch_probe_leftovers", text, "gauge")
    for labels, counts in leftovers.items():
        for state, count in counts.items():
            metric.add_sample("shopwatch_probe_leftovers", {**dict(labels), "state": state}, count)
    return metric


def _histogram(name: str, text: str, histograms: Mapping[Labels, _Histogram], buckets: tuple[float, ...]) -> Metric:
    metric = Metric(name, text, "histogram")
    bounds = [*(repr(bound) for bound in buckets), "+Inf"]
    for labels, histogram in histograms.items():
        for bound, count in zip(bounds, accumulate(histogram.counts), strict=True):
            metric.add_sample(f"{name}_bucket", {**dict(labels), "le": bound}, count)
        metric.add_sample(f"{name}_count", dict(labels), sum(histogram.counts))
        metric.add_sample(f"{name}_sum", dict(labels), histogram.total)
    return metric
