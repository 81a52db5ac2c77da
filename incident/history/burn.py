"""How fast an error budget is used up, and when that is worth an alert. Pure: counts in, a verdict out.

A rule looks at a long window, which says that it matters, and at a short one, which says that it goes on. It fires
when both use the budget up at least `factor` times as fast as would leave nothing of it after 30 days, and when there
were failures enough: a single one among few runs is a large part of them, and means nothing.

The fast rule pages. The others are for the next working day, and tell people without a page, however bad they are said
to be: one failed run a minute, which uses up most budgets in the long run, never pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from probes.duration import format_duration

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
BUDGET_WINDOW = 30 * DAY
FLOOR = 7  # five minutes reach into six of the clock's: one failed run in each is not enough
PAGES = "SEV2"  # and what is worse


@dataclass(frozen=True)
class Rule:
    """`name`: that of its severity in the settings. Windows in seconds. `crowded`: the floor holds in the short window.

    Otherwise it holds in the long one, and two failures in the short one say that it goes on.
    """

    name: str
    factor: float
    long: float
    short: float
    crowded: bool = False

    @property
    def window(self) -> str:
        return format_duration(self.long)


RULES = (
    Rule("fast", 14.4, HOUR, 5 * MINUTE, crowded=True),
    Rule("slow", 6.0, 6 * HOUR, 30 * MINUTE),
    Rule("lasting", 1.0, 3 * DAY, 6 * HOUR),
)
WINDOWS = tuple(sorted({window for rule in RULES for window in (rule.long, rule.short)}))


@dataclass(frozen=True)
class Count:
    runs: int = 0
    failures: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.runs + other.runs, self.failures + other.failures)


def rate(count: Count, slo: float) -> float:
    """How many times too fast: 1 leaves nothing of the budget at the end of its window."""
    return count.failures / count.runs / (1 - slo) if count.runs else 0.0


def burns(rule: Rule, slo: float, counts: Mapping[float, Count], floor: int = FLOOR) -> bool:
    long, short = counts[rule.long], counts[rule.short]
    enough = short.failures >= floor if rule.crowded else long.failures >= floor and short.failures >= min(2, floor)
    return enough and all(rate(count, slo) >= rule.factor * (1 - 1e-9) for count in (long, short))


def pages(rule: Rule, severity: str, counts: Mapping[float, Count], floor: int = FLOOR) -> bool:
    """Whether people are paged for a rule that fires.

    One of the slower ones pages where the settings say that it is as bad as what pages (SEV1 or SEV2), and as many runs
    fail in the short window, for its length, as the fast one asks.
    """
    if rule.crowded:
        return True
    return severity <= PAGES and counts[rule.short].failures >= floor * rule.short / RULES[0].short


def worst(slo: float, counts: Mapping[float, Count], floor: int = FLOOR, rules: Sequence[Rule] = RULES) -> Rule | None:
    """The fastest rule that fires; the others would say the same thing more slowly."""
    return next((rule for rule in rules if burns(rule, slo, counts, floor)), None)


@dataclass(frozen=True)
class Budget:
    """What is left of the failures that an objective allows in 30 days."""

    journey: str  # empty where it is a service's
    service: str
    slo: float
    count: Count

    @property
    def remaining(self) -> float:
        """A part of one: 1 nothing used, 0 all, less than 0 more than all."""
        allowed = self.count.runs * (1 - self.slo)
        return 1 - self.count.failures / allowed if allowed else 1.0

    def to_json(self) -> dict[str, Any]:
        return {
            "journey": self.journey or None,
            "service": self.service,
            "slo": round(self.slo, 8),
            "window_s": BUDGET_WINDOW,
            "runs": self.count.runs,
            "down": self.count.failures,
            "allowed": round(self.count.runs * (1 - self.slo), 3),
            "remaining": round(self.remaining, 4),
        }
