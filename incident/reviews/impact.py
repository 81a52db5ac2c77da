"""How long journeys were down, and how many orders that put at risk. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

LONGEST = timedelta(minutes=15)  # that one run speaks for, where no other follows


def down(runs: Iterable[Mapping[str, Any]], services: Iterable[str], begin: datetime, end: datetime) -> dict[str, Any]:
    """Of one journey: `minutes` down at the place where it was worst, and what each place saw.

    `runs` are results, in any order. A run that failed at one of `services` speaks for the time until the next one.
    """
    wanted, places = set(services), dict[str, list[tuple[datetime, str | None]]]()
    for run in runs:
        at = datetime.fromisoformat(str(run["started_at"]))
        if begin <= at < end:
            places.setdefault(str(run.get("location") or "local"), []).append((at, _failed_at(run, wanted)))
    seen = [_place(name, sorted(found, key=lambda one: one[0]), end) for name, found in sorted(places.items())]
    worst = max(seen, key=lambda place: place["minutes"], default=None)
    failing = sorted({service for found in places.values() for _, service in found if service is not None})
    return {"minutes": 0.0 if worst is None else worst["minutes"], "services": failing, "locations": seen}


def _failed_at(run: Mapping[str, Any], services: set[str]) -> str | None:
    if run.get("outcome") != "down":
        return None
    steps = run.get("steps")
    failing = [
        str(step.get("service"))
        for step in (steps if isinstance(steps, list) else ())
        if isinstance(step, Mapping) and step.get("outcome") == "down" and step.get("service")
    ]
    service = failing[0] if failing else str(run.get("service") or "")
    return service if service in services else None


def _place(name: str, runs: Sequence[tuple[datetime, str | None]], end: datetime) -> dict[str, Any]:
    lasted = timedelta(0)
    for number, (at, service) in enumerate(runs):
        if service is not None:
            following = runs[number + 1][0] if number + 1 < len(runs) else end
            lasted += min(following - at, LONGEST)
    failed = sum(service is not None for _, service in runs)
    return {"location": name, "minutes": _minutes(lasted), "runs": len(runs), "failed": failed}


def orders(per_minute: Mapping[str, float], journeys: Iterable[Mapping[str, Any]], lasted: timedelta) -> dict[str, Any]:
    """`per_minute`: of the services that were touched. Where no journey tells how long, it was as long as `lasted`.

    The same order passes through several services, so that the greatest number counts, and not their sum.
    """
    told: dict[str, float] = {}
    for journey in journeys:
        for service in journey["services"]:
            told[service] = max(told.get(service, 0.0), journey["minutes"])
    found: list[dict[str, Any]] = []
    for service, rate in per_minute.items():
        minutes = told.get(service, _minutes(lasted))
        found.append({"service": service, "per_minute": rate, "minutes": minutes, "orders": round(rate * minutes)})
    return {"at_risk": max((one["orders"] for one in found), default=None), "by_service": found}


def _minutes(lasted: timedelta) -> float:
    return round(max(0.0, lasted / timedelta(minutes=1)), 1)
