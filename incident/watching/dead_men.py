"""An alert that must keep coming, and does not: whoever should send it is dead, or nobody hears it any more."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from incident.core.alerts import DEAD_MANS_SWITCH
from incident.intake.settings import DeadMan
from incident.store import alerts as alert_store
from probes.alert import Alert

if TYPE_CHECKING:
    from incident.desk import Desk

ALERTNAME = DEAD_MANS_SWITCH
SOURCE = "shopwatch"


async def look(desk: "Desk", now: datetime) -> Sequence[Alert]:
    switches = desk.settings.intake.dead_man
    if not switches:
        return ()
    heard = await desk.database.read(
        lambda connection: [alert_store.last_heard(connection, switch.match) for switch in switches]
    )
    known = await desk.database.read(lambda connection: alert_store.not_over(connection, SOURCE, (ALERTNAME,)))
    silent = {alert.labels.get("switch", ""): alert.starts_at for alert in known}
    found = (
        _silent(switch, at, silent.get(switch.name), desk.listening_since, now)
        for switch, at in zip(switches, heard, strict=True)
    )
    return [alert for alert in found if alert is not None]


def _silent(
    switch: DeadMan, heard: datetime | None, silent_since: datetime | None, began: datetime, now: datetime
) -> Alert | None:
    """`silent_since`: as was said before. `began`: since when we listen; before that nobody could reach us."""
    if silent_since is not None and (heard is None or heard <= silent_since):
        return _alert(switch, silent_since, now)
    due = max(began, min(heard or began, now)) + timedelta(seconds=switch.within)
    return _alert(switch, due, now) if due < now else None


def _alert(switch: DeadMan, silent_since: datetime, now: datetime) -> Alert:
    matchers = ", ".join(str(matcher) for matcher in switch.match)
    labels = {"alertname": ALERTNAME, "switch": switch.name, "severity": switch.severity}
    if switch.service is not None:
        labels["service"] = switch.service
    said = f"{switch.name} has fallen silent: no word of {matchers} for more than {switch.within:g} s"
    return Alert(labels, min(silent_since, now), now, {"summary": said})
