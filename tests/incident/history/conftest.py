"""Results as a prober sends them."""

from datetime import datetime
from typing import Any

from tests.incident.conftest import START


def result(
    run: str,
    at: datetime = START,
    outcome: str = "up",
    *,
    journey: str = "checkout",
    location: str = "local",
    reason: str | None = None,
    seconds: float = 0.25,
    slo: float | None = None,
) -> dict[str, Any]:
    """Of two steps; where it is not up, `pay` is the one that failed, and says what it saw."""
    bad = outcome != "up"
    steps = [_step("open", "up", seconds / 2), _step("pay", outcome, seconds / 2)]
    if bad:
        steps[1].update(
            reason=reason or "status", expected="status 200", seen="status 503: out of order", curl="curl x"
        )
    found: dict[str, Any] = {
        "journey": journey,
        "service": "checkout",
        "run_id": run,
        "outcome": outcome,
        "started_at": at.isoformat(),
        "duration_s": seconds,
        "steps": steps,
        "cleanup": [],
        "labels": {"market": "uk"},
        "location": location,
        "account": "buyer",
        "lag_s": 0.001,
    }
    return found if slo is None else {**found, "slo": slo}


def _step(name: str, outcome: str, seconds: float) -> dict[str, Any]:
    return {
        "name": name,
        "service": "checkout",
        "outcome": outcome,
        "reason": None,
        "expected": None,
        "seen": None,
        "status": 200,
        "phases": {"processing": seconds * 0.9, "transfer": seconds * 0.1},
        "duration_s": seconds,
        "attempts": 1,
        "url": "https://shop.example/pay",
        "curl": None,
    }
