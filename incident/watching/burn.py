"""Journeys and services that use up their error budget too fast."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from incident.history.burn import WINDOWS, Rule, worst
from incident.history.objectives import Objective
from probes.alert import Alert
from probes.duration import format_duration
from probes.slo import format_slo

if TYPE_CHECKING:
    from incident.desk import Desk

ALERTNAME = "JourneyBurnRate"
EVERY = 20.0  # seconds


async def look(desk: "Desk", now: datetime) -> list[Alert]:
    """One alert for each objective that some rule says is missed."""
    settings = desk.settings.burn_rate
    severities = {"fast": settings.fast, "slow": settings.slow, "lasting": settings.lasting}
    alerts = []
    for one, counts in (await desk.history.counts(WINDOWS, now)).items():
        rule = worst(one.slo, counts, settings.at_least)
        if rule is not None and (severity := severities[rule.name]) is not None:
            alerts.append(_alert(one, rule, severity, now))
    return alerts


def _alert(one: Objective, rule: Rule, severity: str, now: datetime) -> Alert:
    """Its words do not change with every run, so that it is not told anew each time."""
    labels = {"alertname": ALERTNAME, "service": one.service, "severity": severity, "window": rule.window}
    if one.journey:
        labels["journey"] = one.journey
    what = f"journey {one.journey}" if one.journey else f"service {one.service}"
    summary = (
        f"{what} uses up its error budget more than {rule.factor:g} times too fast: objective {format_slo(one.slo)}, "
        f"over {rule.window} and {format_duration(rule.short)}"
    )
    return Alert(labels, now, now + timedelta(minutes=4), {"summary": summary})
