"""One run in the words of the blackbox exporter, so that its dashboards and rules read ours.

Source of the names: prometheus/blackbox_exporter, prober/http.go and prober/handler.go.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from probes.result import PHASES, Outcome


def exposition(result: Mapping[str, Any]) -> bytes:
    """The text format 0.0.4. `result`: as Result.to_json() gives it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Run(result))
    return generate_latest(registry)


class _Run(Collector):
    def __init__(self, result: Mapping[str, Any]) -> None:
        self.result = result
        self.steps: list[Mapping[str, Any]] = [s for s in result["steps"] if s["outcome"] != Outcome.SKIPPED]

    def collect(self) -> Iterable[Metric]:
        outcome = self.result["outcome"]
        yield _gauge("probe_success", "Whether the journey works: 1, also where it is slow.", outcome != Outcome.DOWN)
        yield _gauge("probe_duration_seconds", "How long the run took.", self.result["duration_s"])
        yield from self._http()
        yield _gauge("shopwatch_run_degraded", "Whether a step was slower than it should be.", outcome == "degraded")
        yield from self._per_step()

    def _http(self) -> Iterable[Metric]:
        phases = {name: [s["phases"][name] for s in self.steps if name in s["phases"]] for name in PHASES}
        reached = {name: sum(seconds) for name, seconds in phases.items() if seconds}
        if "resolve" in reached:
            yield _gauge("probe_dns_lookup_time_seconds", "Time spent on names, over all steps.", reached["resolve"])
        if reached:
            text = "Time of each phase that was reached, over all steps."
            metric = GaugeMetricFamily("probe_http_duration_seconds", text, labels=["phase"])
            for name, seconds in reached.items():
                metric.add_metric([name], seconds)
            yield metric
            yield _gauge("probe_http_ssl", "Whether the last connection was made with TLS.", self._last_was_https())
        statuses = [step["status"] for step in self.steps if step["status"] is not None]
        if statuses:
            yield _gauge("probe_http_status_code", "Of the last answer.", statuses[-1])
        certificate = self.result.get("certificate")
        if certificate is not None:
            text = "Unix time at which the first certificate that was seen expires."
            yield _gauge(
                "probe_ssl_earliest_cert_expiry", text, datetime.fromisoformat(certificate["expires_at"]).timestamp()
            )

    def _last_was_https(self) -> bool:
        urls = [step["url"] for step in self.steps if step["url"]]
        return bool(urls) and str(urls[-1]).startswith("https:")

    def _per_step(self) -> Iterable[Metric]:
        times = GaugeMetricFamily("shopwatch_run_step_duration_seconds", "How long each step took.", labels=["step"])
        attempts = GaugeMetricFamily("shopwatch_run_step_attempts", "How often each step was tried.", labels=["step"])
        failures = GaugeMetricFamily(
            "shopwatch_run_failure", "The steps that failed or were too slow, and why.", labels=["step", "reason"]
        )
        for name, step in {step["name"]: step for step in self.steps}.items():  # of two alike, the later one
            times.add_metric([name], step["duration_s"])
            attempts.add_metric([name], step["attempts"])
            if step["reason"] is not None:
                failures.add_metric([name, step["reason"]], 1)
        yield times
        yield attempts
        yield failures


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))
