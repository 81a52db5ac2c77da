"""What speaks against closing an incident: a journey of its services that is down, things left behind in the shop."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from incident.core.model import Incident
from incident.store import runs as run_store

FRESH = timedelta(days=1)  # a journey whose last run is older than that was taken out, and says nothing any more


def obstacles(connection: Connection, incident: Incident, now: datetime) -> Sequence[str]:
    results = [result for result in run_store.last(connection) if _fresh(result, now)]
    down = sorted(
        f"{result['journey']} at {result['location']}"
        for result in results
        if result["outcome"] == "down" and _service(result) in incident.services
    )
    found = [f"the journey {name} is down" for name in down]
    left: dict[str, int] = {}
    for result in results:
        if _touches(result, incident):  # locations of one workspace share a ledger, and count the same things
            left[str(result["journey"])] = max(left.get(str(result["journey"]), 0), _leftovers(result))
    if count := sum(left.values()):
        found.append(f"{count} things that probes made in the shop are not undone (shopwatch probe leftovers)")
    return found


def _service(result: dict[str, Any]) -> Any:
    """Of the step that failed; the journey's own where none did."""
    steps = result.get("steps")
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, dict) and step.get("outcome") == "down":
            return step.get("service")
    return result.get("service")


def _fresh(result: dict[str, Any], now: datetime) -> bool:
    return datetime.fromisoformat(str(result["started_at"])) > now - FRESH


def _touches(result: dict[str, Any], incident: Incident) -> bool:
    steps = result.get("steps")
    own = {step.get("service") for step in steps if isinstance(step, dict)} if isinstance(steps, list) else set()
    return bool({result.get("service"), *own} & set(incident.services))


def _leftovers(result: dict[str, Any]) -> int:
    """Counted by state; what was dismissed is over."""
    counts = result.get("leftovers")
    counts = counts if isinstance(counts, dict) else {}
    return sum(n for state, n in counts.items() if isinstance(n, int) and state != "dismissed")
