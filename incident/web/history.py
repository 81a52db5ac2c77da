"""The journeys' history over HTTP, and what is left of their error budgets as a metric. Reference: docs/api.md."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from prometheus_client.core import GaugeMetricFamily, Metric
from pydantic import AwareDatetime

from incident.desk import Desk
from incident.errors import Refused
from incident.history.burn import Budget
from incident.history.keeper import MOST_POINTS
from incident.web import api_models as models
from incident.web.api import _ERRORS, Caller

MOST_RUNS = 1000  # in one answer
_DEFAULT = {"hour": timedelta(days=1), "day": timedelta(days=30)}
Place = Annotated[str | None, Query(max_length=100, description="Only runs from there.")]


class FailingShape(models.Shape):
    step: str
    reason: str | None
    count: int


class SummaryShape(models.Shape):
    """Durations in seconds; percentiles to 5 %."""

    runs: int
    up: int
    degraded: int
    down: int
    unjudged: int
    uptime: float | None
    mean_s: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    failing: list[FailingShape]


class PointShape(SummaryShape):
    at: str


class BudgetShape(models.Shape):
    journey: str | None
    service: str
    slo: float
    window_s: float
    runs: int
    down: int
    allowed: float
    remaining: float


class JourneyShape(SummaryShape):
    journey: str
    service: str | None
    locations: list[str]
    since: str
    until: str
    percentile_error: float
    last: list[dict[str, Any]]
    budgets: list[BudgetShape]


class RunsShape(models.Shape):
    runs: list[dict[str, Any]]
    next: str | None


class HistoryApi:
    """`/api/v1/journeys/{name}` and what is below it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.router = APIRouter(prefix="/api/v1/journeys", responses=_ERRORS)
        add = self.router.add_api_route
        # a name may hold a slash, so the longer paths come first
        add("/{name:path}/runs", self.runs, methods=["GET"], response_model=RunsShape, summary="Its runs")
        points = list[PointShape]
        add("/{name:path}/history", self.history, methods=["GET"], response_model=points, summary="Its roll-ups")
        add("/{name:path}", self.show, methods=["GET"], response_model=JourneyShape, summary="How a journey does")

    async def show(
        self, name: str, actor: Caller, since: AwareDatetime | None = None, location: Place = None
    ) -> dict[str, Any]:
        """Since then (default: a day ago), by whole hours; its last results; what is left of its error budgets."""
        begin = since or self.desk.now() - _DEFAULT["hour"]
        found = await self.desk.history.summary(name, begin, location)
        budgets = await self.desk.history.budgets(name)
        return {**found, "budgets": [budget.to_json() for budget in budgets]}

    async def runs(
        self,
        name: str,
        *,
        actor: Caller,
        since: AwareDatetime | None = None,
        before: AwareDatetime | None = None,
        location: Place = None,
        failed: bool = False,
        limit: Annotated[int, Query(ge=1, le=MOST_RUNS)] = 100,
    ) -> dict[str, Any]:
        """The newest first. `failed`: only those that were kept whole. `next`: the `before` of the next page."""
        page = await self.desk.history.runs(
            name, location=location, since=since, before=before, limit=limit, failed=failed
        )
        return {"runs": page.runs, "next": None if page.next is None else page.next.isoformat()}

    async def history(
        self,
        name: str,
        *,
        actor: Caller,
        begin: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
        step: Literal["hour", "day"] = "hour",
        location: Place = None,
    ) -> list[dict[str, Any]]:
        """Hours (default: of one day) or days in UTC (default: of thirty) in which there were runs, oldest first."""
        end = end or self.desk.now()
        try:
            begin = begin or end - _DEFAULT[step]
        except OverflowError:
            raise Refused("to: there is no time before it") from None
        most = timedelta(hours=MOST_POINTS) if step == "hour" else timedelta(days=MOST_POINTS)
        if not timedelta(0) <= end - begin <= most:
            raise Refused(f"from and to: should be in this order, and at most {MOST_POINTS} {step}s apart")
        return await self.desk.history.points(name, begin, end, step, location)


class Budgets:
    """What is left of every error budget, as prometheus_client wants it."""

    def __init__(self, budgets: Sequence[Budget]) -> None:
        self.budgets = budgets

    def collect(self) -> Iterable[Metric]:
        left = GaugeMetricFamily(
            "shopwatch_slo_error_budget_remaining_ratio",
            "What is left of the failures that an objective allows in 30 days; below 0 when there were more.",
            labels=["journey", "service"],
        )
        for budget in self.budgets:
            left.add_metric([budget.journey, budget.service], budget.remaining)
        yield left
