"""The whole text of both expositions, as files: what a scraper reads does not change unnoticed."""

from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from probes.prober.exposition import exposition
from probes.prober.metrics import ProbeMetrics
from probes.result import Outcome, Reason, Result, Step

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
PHASES = {"resolve": 0.001, "connect": 0.002, "tls": 0.01, "processing": 0.03, "transfer": 0.004}


def runs() -> list[Result]:
    page = Step("open", "login", Outcome.UP, status=200, phases=PHASES, duration_s=0.047, url="https://shop.example/")
    slow = Step("sign in", "login", Outcome.DEGRADED, Reason.LATENCY, status=302, duration_s=1.2, attempts=2)
    down = Step("sign in", "login", Outcome.DOWN, Reason.STATUS, "200", "503", 503, {"processing": 0.2}, 0.2)
    late = Step("thanks", "login", Outcome.SKIPPED)
    common = {"labels": {"market": "uk"}, "lag_s": 0.003}
    return [
        Result("login", "login", "r1", Outcome.UP, AT, 0.05, [page], **common),  # type: ignore[arg-type]
        Result("login", "login", "r2", Outcome.DEGRADED, AT, 1.25, [page, slow], **common),  # type: ignore[arg-type]
        Result("login", "login", "r3", Outcome.DOWN, AT, 0.25, [page, down, late], **common),  # type: ignore[arg-type]
    ]


def test_the_metrics_of_journeys() -> None:
    metrics = ProbeMetrics()
    for one in runs():
        metrics.observe(one.to_json())
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    assert generate_latest(registry).decode() == (GOLDEN / "metrics.txt").read_text()


def test_one_run_on_demand() -> None:
    assert exposition(runs()[2].to_json()).decode() == (GOLDEN / "probe.txt").read_text()
