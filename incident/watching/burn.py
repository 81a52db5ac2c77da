"""Journeys and services that use up their error budget too fast."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from incident.core.paging import LABEL, NO
from incident.history.burn import WINDOWS, Count, Rule, pages, worst
from incident.history.objectives import Objective
from incident.history.settings import BurnRate
from probes.alert import Alert
from probes.duration import format_duration
from probes.slo import format_slo

if TYPE_CHECKING:
    from incident.desk import Desk

ALERTNAME = "JourneyBurnRate"
EVERY = 20.0  # seconds


async def look(desk: "Desk", now: datetime) -> list[Alert]:
    """One alert for each objective that some rule says is missed."""
    found = await desk.history.counts(WINDOWS, now)
    alerts = [judged(one, counts, desk.settings.burn_rate, now) for one, counts in found.items()]
    return [alert for alert in alerts if alert is not None]


def judged(one: Objective, counts: Mapping[float, Count], settings: BurnRate, now: datetime) -> Alert | None:
    """`counts`: by window. None where no rule says that it is missed, or nobody wants to hear of the one that does."""
    rule = worst(one.slo, counts, settings.at_least)
    if rule is None:
        return None
    severity = {"fast": settings.fast, "slow": settings.slow, "lasting": settings.lasting}[rule.name]
    if severity is None:
        return None
    return _alert(one, rule, severity, now, pages(rule, severity, counts, settings.at_least))


def _alert(one: Objective, rule: Rule, severity: str, now: datetime, page: bool) -> Alert:
    """Its words do not change with every run, so that it is not told anew each time."""
    labels = {"alertname": ALERTNAME, "service": one.service, "severity": severity, "window": rule.window}
    if not page:
        labels[LABEL] = NO
    if one.journey:
        labels["journey"] = one.journey
    what = f"journey {one.journey}" if one.journey else f"service {one.service}"
    summary = (
        f"{what} uses up its error budget more than {rule.factor:g} times too fast: objective {format_slo(one.slo)}, "
        f"over {rule.window} and {format_duration(rule.short)}"
    )
    return Alert(labels, now, now + timedelta(minutes=4), {"summary": summary})
