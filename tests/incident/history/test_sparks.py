from datetime import datetime, timedelta
from typing import Any

import pytest

from incident.history.sparks import WIDTH, Chart, spark
from tests.incident.conftest import START


def point(at: datetime, down: int = 0, p95: float = 0.2) -> dict[str, Any]:
    failing = [{"step": "pay", "reason": "status", "count": down}] if down else []
    return {"at": at.isoformat(), "runs": 100, "down": down, "p95_s": p95, "failing": failing}


@pytest.mark.parametrize(
    ("values", "drawn"),
    [([0, 1, 2, 3], "▁▃▆█"), ([], ""), ([None, 1, None], " ▁ "), ([5, 5], "▁▁")],
    ids=["rising", "nothing", "gaps", "level"],
)
def test_a_line_of_bars_goes_from_the_lowest_to_the_highest(values: list[float | None], drawn: str) -> None:
    assert spark(values, "▁▂▃▄▅▆▇█") == drawn


def test_an_hour_without_runs_is_a_gap_and_one_of_failures_is_seen() -> None:
    points = [point(START), point(START + timedelta(hours=2), down=100, p95=2.0), point(START + timedelta(hours=3))]
    chart = Chart.of(points, START, START + timedelta(hours=4), "hour", "utf-8")
    assert (chart.uptime, chart.p95, chart.failing("pay", "status")) == ("█ ▁█", "▂ █▂", "  █ ")


def test_without_utf_8_the_bars_are_ascii() -> None:
    chart = Chart.of(
        [point(START), point(START + timedelta(hours=1), 50)], START, START + timedelta(hours=2), "hour", "ascii"
    )
    assert chart.uptime == "#_"
    assert chart.uptime.isascii()


@pytest.mark.parametrize("days", [1, 30, 61, 400])
def test_it_never_gets_wider_than_the_terminal(days: int) -> None:
    points = [point(START + timedelta(days=day), down=1) for day in range(days)]
    chart = Chart.of(points, START, START + timedelta(days=days), "day", "utf-8")
    assert days / 60 <= len(chart.uptime) <= WIDTH
    assert " " not in chart.p95.rstrip()
