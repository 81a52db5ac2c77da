"""What a stretch of time adds up to: outcomes, how long runs took, which steps failed. Pure; any two can be merged.

Durations are counted in buckets whose bounds grow by a tenth, so that a percentile is within 5 % of the true one.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

UP, DEGRADED, DOWN, UNJUDGED = range(4)  # how a run counts
ERROR_BOUND = 0.05  # of a percentile, relative
MOST_FAILING = 50  # steps told apart; further ones are one entry
SLICES = 12  # of an hour, in which failures are counted
_GROWTH = math.log(1.1)
_OTHER = ("other steps", "")


def counts_as(outcome: str, reason: str | None) -> int | None:
    """How a run counts: a failure of the prober's own is nobody's, and a run that was skipped is none (None)."""
    if outcome == "down":
        return UNJUDGED if reason == "prober" else DOWN
    return {"up": UP, "degraded": DEGRADED}.get(outcome)


def bucket(seconds: float) -> int:
    """The bucket of a duration: -1 for less than a tenth of a millisecond, where nothing is told apart."""
    return -1 if seconds < 1e-4 else int(math.log(seconds * 1e4) / _GROWTH)


def middle(number: int) -> float:
    """Seconds, in the middle of a bucket by ratio."""
    return 0.0 if number < 0 else math.exp((number + 0.5) * _GROWTH) / 1e4


@dataclass
class Rollup:
    """`counts`: by UP, DEGRADED, DOWN, UNJUDGED. `total_s`: of all durations. `buckets`: how many took so long.

    `steps`: (name, reason) -> how often it was the one that failed. `slices`: in an hour's roll-up, in which twelfth
    of the hour how many were down; empty in that of a day.
    """

    counts: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    total_s: float = 0.0
    buckets: Counter[int] = field(default_factory=Counter)
    steps: Counter[tuple[str, str]] = field(default_factory=Counter)
    slices: Counter[int] = field(default_factory=Counter)

    def add(self, kind: int, seconds: float, step: tuple[str, str] | None = None, slice_: int = 0) -> None:
        self.counts[kind] += 1
        if kind == UNJUDGED:
            return
        self.total_s += seconds
        self.buckets[bucket(seconds)] += 1
        if kind != UP and step is not None:
            self.steps[step if step in self.steps or len(self.steps) < MOST_FAILING else _OTHER] += 1
        if kind == DOWN:
            self.slices[slice_] += 1

    @property
    def runs(self) -> int:
        """Those that count."""
        return sum(self.counts[:UNJUDGED])

    @property
    def uptime(self) -> float | None:
        """The part of the runs that was not down; None where there were none."""
        return 1 - self.counts[DOWN] / self.runs if self.runs else None

    def percentile(self, part: float) -> float | None:
        """Seconds that `part` (0 to 1) of the runs took at most, to 5 %; None where there were none."""
        left = max(1, math.ceil(part * self.buckets.total()))
        for number, count in sorted(self.buckets.items()):
            left -= count
            if left <= 0:
                return middle(number)
        return None

    def to_json(self) -> list[Any]:
        """Short, because there are very many of them."""
        first = min(self.buckets, default=0)
        dense = [self.buckets[number] for number in range(first, max(self.buckets, default=first - 1) + 1)]
        steps = [[name, reason, count] for (name, reason), count in sorted(self.steps.items())]
        found: list[Any] = [self.counts, round(self.total_s, 3), first, dense]
        if steps or self.slices:
            found += [steps, sorted(self.slices.items())]
        return found

    @classmethod
    def from_json(cls, found: list[Any]) -> "Rollup":
        counts, total_s, first, dense, *failures = found
        steps, slices = failures or ([], [])
        return cls(
            list(counts),
            total_s,
            Counter({first + at: count for at, count in enumerate(dense) if count}),
            Counter({(name, reason): count for name, reason, count in steps}),
            Counter(dict(slices)),
        )

    def summary(self) -> dict[str, Any]:
        """As the API shows it. Durations in seconds."""
        mean = self.total_s / self.runs if self.runs else None
        steps = self.steps.most_common()
        return {
            "runs": self.runs,
            **dict(zip(("up", "degraded", "down", "unjudged"), self.counts, strict=True)),
            "uptime": None if self.uptime is None else round(self.uptime, 6),
            "mean_s": _rounded(mean),
            "p50_s": _rounded(self.percentile(0.5)),
            "p95_s": _rounded(self.percentile(0.95)),
            "p99_s": _rounded(self.percentile(0.99)),
            "failing": [{"step": name, "reason": reason or None, "count": count} for (name, reason), count in steps],
        }


def merged(rollups: Iterable[Rollup]) -> Rollup:
    """All of them as one. Twelfths of different hours mean nothing together, and are left out."""
    whole = Rollup()
    for one in rollups:
        whole.counts = [a + b for a, b in zip(whole.counts, one.counts, strict=True)]
        whole.total_s += one.total_s
        whole.buckets += one.buckets
        _add_steps(whole.steps, one.steps)
    return whole


def _add_steps(into: Counter[tuple[str, str]], more: Mapping[tuple[str, str], int]) -> None:
    for step, count in more.items():
        into[step if step in into or len(into) < MOST_FAILING else _OTHER] += count


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else float(f"{seconds:.3g}")
