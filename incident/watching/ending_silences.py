"""Silences that end soon and hold back alerts that nobody has heard of: those page when it ends, unless told before.

Alerts that belong to an open incident need none of this: its timeline says so.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from incident.core.muting.silences import Silence, State
from incident.silences.rules import reminder
from probes.alert import Alert

if TYPE_CHECKING:
    from incident.desk import Desk

ALERTNAME = "SilenceEnding"
EVERY = 20.0  # seconds


async def look(desk: "Desk", now: datetime) -> list[Alert]:
    """One alert for each of them. Alerts are read only while some silence is in its last quarter of an hour."""
    ending = [one for one in await desk.silences.every() if _ends_soon(one, now)]
    if not ending:
        return []
    unheard: dict[str, int] = {}
    for alert in await desk.alerts():
        if alert.muted is not None and alert.incident is None:
            for silence in alert.muted["silencedBy"]:
                unheard[silence] = unheard.get(silence, 0) + 1
    return [_alert(one, unheard[one.id], now) for one in ending if one.id in unheard]


def _ends_soon(silence: Silence, now: datetime) -> bool:
    due = reminder(silence)
    return due is not None and due <= now and silence.state(now) is State.ACTIVE


def _alert(silence: Silence, count: int, now: datetime) -> Alert:
    end = silence.ends_at or now
    matchers = ", ".join(map(str, silence.matchers))
    summary = f"the silence of {matchers} ends at {end:%H:%M} UTC, and alerts that it holds back still fire"
    labels = {"alertname": ALERTNAME, "severity": "info", "silence": silence.id}
    return Alert(labels, reminder(silence) or now, end, {"summary": summary, "alerts": str(count)})
