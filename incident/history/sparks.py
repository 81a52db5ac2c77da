"""Figures over time as one line of characters. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

WIDTH = 60  # characters at the most
_BARS = "▁▂▃▄▅▆▇█"
_PLAIN = "_.:-=+*#"
_STEP = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


def spark(values: Sequence[float | None], bars: str, low: float | None = None, high: float | None = None) -> str:
    """A bar for each value, between the lowest and the highest (or what is given); a blank where there is none."""
    known = [value for value in values if value is not None]
    bottom = min(known, default=0.0) if low is None else low
    top = max(known, default=1.0) if high is None else high
    scale = (len(bars) - 1) / (top - bottom) if top > bottom else 0.0
    return "".join(
        " " if value is None else bars[min(len(bars) - 1, max(0, round((value - bottom) * scale)))] for value in values
    )


@dataclass(frozen=True)
class Chart:
    """`columns`: the roll-ups, as the API gives them, behind each character."""

    columns: tuple[tuple[Mapping[str, Any], ...], ...]
    bars: str

    @classmethod
    def of(
        cls, points: Iterable[Mapping[str, Any]], begin: datetime, end: datetime, step: str, encoding: str | None
    ) -> "Chart":
        """One column an hour or day between these instants, or several together where there are too many."""
        size = _STEP[step]
        first = begin.replace(minute=0, second=0, microsecond=0)
        if step == "day":
            first = first.replace(hour=0)
        steps = max(1, -(-(end - first) // size))
        together = -(-steps // WIDTH)
        columns: list[list[Mapping[str, Any]]] = [[] for _ in range(-(-steps // together))]
        for point in points:
            at = (datetime.fromisoformat(point["at"]) - first) // size // together
            if 0 <= at < len(columns) and point["runs"]:
                columns[at].append(point)
        bars = _BARS if (encoding or "").lower().replace("-", "") == "utf8" else _PLAIN
        return cls(tuple(tuple(column) for column in columns), bars)

    @property
    def uptime(self) -> str:
        """Full bars where nothing was down; the scale begins at 90 %, or at the worst."""
        parts = [
            1 - sum(point["down"] for point in column) / sum(point["runs"] for point in column) if column else None
            for column in self.columns
        ]
        known = [part for part in parts if part is not None]
        return spark(parts, self.bars, min([0.9, *known]), 1.0)

    @property
    def p95(self) -> str:
        """From nothing to the longest."""
        return spark([max((point["p95_s"] for point in column), default=None) for column in self.columns], self.bars, 0)

    def failing(self, step: str, reason: str | None) -> str:
        """How often this step failed so; blank where it did not."""
        counts = [
            sum(
                item["count"]
                for point in column
                for item in point["failing"]
                if (item["step"], item["reason"]) == (step, reason)
            )
            for column in self.columns
        ]
        return spark([count or None for count in counts], self.bars, 0)
