import re
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from probes.prober.metrics import ProbeMetrics
from probes.result import Outcome, Reason, Result, Step

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"


def result(
    outcome: Outcome = Outcome.UP, reason: Reason | None = None, labels: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    steps = [
        Step("sign in", "login", Outcome.UP, duration_s=0.03),
        Step("pay", "payment", outcome, reason, duration_s=0.7),
        Step("thanks", "checkout", Outcome.SKIPPED),
    ]
    at = datetime(2026, 3, 1, tzinfo=UTC)
    made = Result("checkout", "checkout", "r1", outcome, at, 0.8, steps, labels=labels or {}, lag_s=0.002)
    return {**made.to_json(), **more}


def scrape(metrics: ProbeMetrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    registry = CollectorRegistry()
    registry.register(metrics)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(metrics: ProbeMetrics, name: str, **labels: str) -> float | None:
    return scrape(metrics).get((name, frozenset(labels.items())))


def test_runs_are_counted_by_journey_service_location_and_outcome() -> None:
    metrics = ProbeMetrics()
    for outcome in (Outcome.UP, Outcome.UP, Outcome.DOWN):
        metrics.observe(result(outcome))
    metrics.observe(result(location="madrid"))
    own = {"journey": "checkout", "service": "checkout"}
    name = "shopwatch_probe_runs_total"
    assert value(metrics, name, **own, location="local", outcome="up") == 2
    assert value(metrics, name, **own, location="local", outcome="down") == 1
    assert value(metrics, name, **own, location="madrid", outcome="up") == 1


def test_outcomes_that_have_not_come_yet_are_0() -> None:
    metrics = ProbeMetrics()
    metrics.observe(result(Outcome.DOWN, Reason.STATUS))
    own = {"journey": "checkout", "service": "checkout", "location": "local"}
    counted = {word: value(metrics, "shopwatch_probe_runs_total", **own, outcome=word) for word in ("up", "degraded")}
    assert counted == {"up": 0, "degraded": 0}


def test_failures_are_counted_by_step_and_reason() -> None:
    metrics = ProbeMetrics()
    metrics.observe(result(Outcome.DOWN, Reason.STATUS))
    metrics.observe(result(Outcome.DEGRADED, Reason.LATENCY))
    name = "shopwatch_probe_failures_total"
    assert value(metrics, name, journey="checkout", step="pay", reason="status") == 1
    assert value(metrics, name, journey="checkout", step="pay", reason="latency") == 1


def test_step_durations_fall_into_buckets_and_skipped_steps_into_none() -> None:
    metrics = ProbeMetrics()
    metrics.observe(result())
    name, pay = "shopwatch_probe_step_duration_seconds", {"journey": "checkout", "step": "pay"}
    assert value(metrics, f"{name}_bucket", **pay, le="0.5") == 0
    assert value(metrics, f"{name}_bucket", **pay, le="1.0") == 1
    assert value(metrics, f"{name}_bucket", **pay, le="+Inf") == 1
    assert value(metrics, f"{name}_count", **pay) == 1
    assert value(metrics, f"{name}_sum", **pay) == 0.7
    assert value(metrics, f"{name}_count", journey="checkout", step="thanks") is None


def test_a_duration_on_a_bucket_s_bound_belongs_to_it() -> None:
    metrics = ProbeMetrics()
    metrics.observe(result(lag_s=0.05))
    assert value(metrics, "shopwatch_probe_schedule_lag_seconds_bucket", le="0.025") == 0
    assert value(metrics, "shopwatch_probe_schedule_lag_seconds_bucket", le="0.05") == 1


def test_a_run_by_hand_has_no_lag() -> None:
    metrics = ProbeMetrics()
    metrics.observe(result(lag_s=None))
    assert value(metrics, "shopwatch_probe_schedule_lag_seconds_count") == 0


def test_a_journey_s_labels_are_on_all_its_metrics() -> None:
    metrics = ProbeMetrics()
    metrics.observe(result(Outcome.DOWN, Reason.STATUS, {"market": "uk"}))
    metrics.observe(result(Outcome.DOWN, Reason.STATUS))
    labels = {"journey": "checkout", "step": "pay", "reason": "status"}
    assert value(metrics, "shopwatch_probe_failures_total", **labels, market="uk") == 1
    assert value(metrics, "shopwatch_probe_failures_total", **labels) == 1


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("cost-centre", "cost_centre"),
        ("1st", "_1st"),
        ("outcome", "exported_outcome"),
        ("le", "exported_le"),
        ("__name__", "exported_name__"),
        ("市场", "exported_"),
    ],
)
def test_label_names_that_prometheus_would_not_take_are_renamed(given: str, seen: str) -> None:
    metrics = ProbeMetrics()
    metrics.observe(result(labels={given: "x"}))
    own = {"journey": "checkout", "service": "checkout", "location": "local", "outcome": "up"}
    assert value(metrics, "shopwatch_probe_runs_total", **own, **{seen: "x"}) == 1


def test_hostile_text_in_names_stays_one_value() -> None:
    metrics = ProbeMetrics()
    name = 'a"} 1\nshopwatch_evil_total{x="\\'
    metrics.observe(result(journey=name))
    assert any(dict(labels).get("journey") == name for _, labels in scrape(metrics))


@pytest.mark.parametrize(
    "wrong", [{"outcome": "fine"}, {"steps": [{}]}, {"steps": 7}, {"lag_s": "late"}, {"labels": "x"}]
)
def test_what_is_no_result_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        ProbeMetrics().observe(result(**wrong))


def test_too_many_label_sets_are_left_out_and_counted() -> None:
    metrics = ProbeMetrics(most_series=10)
    for n in range(100):
        metrics.observe(result(journey=f"journey-{n}"))
    assert len([1 for name, _ in scrape(metrics) if name == "shopwatch_probe_runs_total"]) <= 10
    assert (value(metrics, "shopwatch_probe_series_dropped_total") or 0) > 200


def test_a_scrape_may_come_while_results_do() -> None:
    metrics, stop = ProbeMetrics(), threading.Event()

    def scrape_on() -> None:
        while not stop.is_set():
            scrape(metrics)

    thread = threading.Thread(target=scrape_on)
    thread.start()
    for n in range(300):
        metrics.observe(result(journey=f"journey-{n}"))
    stop.set()
    thread.join()
    assert value(metrics, "shopwatch_probe_schedule_lag_seconds_count") == 300


@pytest.mark.needs("prometheus")
def test_promtool_finds_nothing_to_say() -> None:
    metrics = ProbeMetrics()
    metrics.observe(result(Outcome.DOWN, Reason.STATUS, {"market": "uk"}))
    metrics.observe(result())
    registry = CollectorRegistry()
    registry.register(metrics)
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=generate_latest(registry), capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_every_metric_is_documented_with_its_kind_and_labels() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", DOCS.read_text(encoding="utf-8"), re.M)
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    metrics = ProbeMetrics()
    metrics.observe(result(Outcome.DOWN, Reason.STATUS) | {"leftovers": {"failed": 1}, "confirms": True})
    for metric in metrics.collect():
        name = metric.name + ("_total" if metric.type == "counter" else "")
        labels = {label for sample in metric.samples for label in sample.labels} - {"le"}
        assert documented[name] == (metric.type, labels)
        assert metric.documentation


def test_the_documentation_names_the_metrics_of_the_whole_program() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for name in (
        "shopwatch_alerts", "shopwatch_incidents", "shopwatch_incident_time_to_detect_seconds",
        "shopwatch_incident_time_to_acknowledge_seconds", "shopwatch_incident_time_to_resolve_seconds",
        "shopwatch_deliveries_total", "shopwatch_delivery_oldest_due_seconds",
        "shopwatch_engine_cycle_duration_seconds",
    ):  # fmt: skip
        assert f"| `{name}` |" in text


def test_leftovers_are_counted_by_state_until_none_are_left() -> None:
    metrics = ProbeMetrics(registry := CollectorRegistry())
    for left in ({}, {"created": 2, "failed": 1}, {"failed": 3}):
        metrics.observe(result() | {"leftovers": left})
    metrics.observe(result())  # of a prober that does not look after them
    labels = {"journey": "checkout", "location": "local"}
    values = [
        registry.get_sample_value("shopwatch_probe_leftovers", {**labels, "state": state})
        for state in ("created", "failed", "unknown")
    ]
    assert values == [0, 3, None]


def test_retries_and_confirming_runs_are_counted() -> None:
    metrics = ProbeMetrics()
    asked_thrice = result()
    asked_thrice["steps"][0]["attempts"] = 3
    for one in (asked_thrice, result(), result() | {"confirms": True}):
        metrics.observe(one)
    step = asked_thrice["steps"][0]["name"]
    journey, location = asked_thrice["journey"], asked_thrice["location"]
    assert value(metrics, "shopwatch_probe_step_attempts_total", journey=journey, step=step) == 5
    assert value(metrics, "shopwatch_probe_confirmations_total", journey=journey, location=location) == 1


def test_a_run_that_failed_for_the_probers_own_trouble_counts_neither_for_the_shop_nor_against_it() -> None:
    metrics = ProbeMetrics()
    metrics.observe(result(Outcome.DOWN, Reason.PROBER))
    own = {"journey": "checkout", "service": "checkout", "location": "local"}
    name = "shopwatch_probe_runs_total"
    assert value(metrics, name, **own, outcome="down") == 0
    assert value(metrics, name, **own, outcome="prober") == 1
