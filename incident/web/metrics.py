"""`/metrics`: the incident side's figures, and those of the journeys from the results that probers report."""

from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import Response

from incident.desk import Desk
from incident.loaded import Loaded
from incident.numbers import BUCKETS, Histogram, Numbers
from incident.web.history import Budgets
from probes.prober.metrics import ProbeMetrics

log = structlog.get_logger("web")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_TIMES = {
    "detect": "From the first sign of a trouble to its incident.",
    "acknowledge": "From an incident to its first acknowledgement.",
    "resolve": "From an incident to its end.",
}


REMEMBERED = 50_000  # runs that are recognized when they come again


class Metrics:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.journeys = CollectorRegistry(auto_describe=False)
        self._probes = ProbeMetrics(self.journeys)
        self._counted: dict[tuple[str, str, str], None] = {}  # runs, the oldest first

    def observe(self, results: Iterable[Mapping[str, Any]]) -> None:
        """Each run counts once, however often a prober that missed our answer repeats it."""
        for result in results:
            try:
                if self._seen(result):
                    continue
                self._probes.observe(result)
            except (KeyError, TypeError, ValueError) as error:
                log.warning("a result does not count in the metrics", error=repr(error))

    def _seen(self, result: Mapping[str, Any]) -> bool:
        key = (str(result["journey"]), str(result.get("location")), str(result["run_id"]))
        if key in self._counted:
            return True
        self._counted[key] = None
        while len(self._counted) > REMEMBERED:
            del self._counted[next(iter(self._counted))]
        return False

    async def get(self, request: Request) -> Response:
        numbers = await self.desk.metrics()
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Snapshot(numbers))
        registry.register(Budgets(await self.desk.history.budgets()))
        registry.register(_Configuration(self.desk.loaded))
        registry.register(_ActionItems(await self.desk.reviews.counts()))
        body = generate_latest(self.journeys) + generate_latest(registry)
        return Response(body, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


class _Snapshot:
    """The figures of one moment, as prometheus_client wants them."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers

    def collect(self) -> Iterable[Metric]:
        numbers = self.numbers
        yield _gauge("shopwatch_alerts", "Alerts that fire now, from every source.", numbers.alerts.get("firing", 0))
        aside = numbers.alerts.get("aside", 0)
        yield _gauge("shopwatch_alerts_aside", "Alerts that no decision could be made on; the log says why.", aside)
        incidents = GaugeMetricFamily("shopwatch_incidents", "Open incidents.", labels=["severity", "status"])
        for key, count in sorted(numbers.incidents.items()):
            incidents.add_metric(key, count)
        yield incidents
        for name, text in _TIMES.items():
            yield _histogram(
                f"shopwatch_incident_time_to_{name}_seconds", text, numbers.times.get(name, Histogram.of(()))
            )
        sent = CounterMetricFamily("shopwatch_deliveries", "Attempts to tell a channel.", labels=["channel", "outcome"])
        for key, count in sorted(numbers.deliveries.items()):
            sent.add_metric(key, count)
        yield sent
        yield _gauge("shopwatch_delivery_oldest_due_seconds", "Age of the oldest due delivery.", numbers.oldest_due_s)
        yield _gauge("shopwatch_engine_cycle_duration_seconds", "Of the last cycle.", numbers.cycle_duration_s)
        yield CounterMetricFamily("shopwatch_engine_cycles", "Cycles of the engine.", value=numbers.cycles)
        yield CounterMetricFamily(
            "shopwatch_engine_cycle_failures", "Cycles that failed.", value=numbers.cycle_failures
        )


class _ActionItems:
    """What incidents have left to be done, by state."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.counts = counts

    def collect(self) -> Iterable[Metric]:
        items = GaugeMetricFamily("shopwatch_action_items", "Action items of incidents.", labels=["state"])
        for state, count in self.counts.items():
            items.add_metric([state], count)
        yield items


class _Configuration:
    """By the names that Prometheus and Alertmanager have for it."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded

    def collect(self) -> Iterable[Metric]:
        text = "Whether the configuration was fit to be used when it was last read."
        yield _gauge("shopwatch_config_last_reload_successful", text, not self.loaded.problem)
        text = "When the configuration in use was read."
        yield _gauge("shopwatch_config_last_reload_success_timestamp_seconds", text, self.loaded.at.timestamp())


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    buckets = [(f"{bound:g}", float(count)) for bound, count in zip(BUCKETS, histogram.counts, strict=True)]
    return HistogramMetricFamily(
        name, text, buckets=[*buckets, ("+Inf", float(histogram.count))], sum_value=histogram.total
    )
