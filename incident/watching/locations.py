"""A location that has not been heard of for a while is said to be silent: what it would have seen, nobody sees."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from probes.alert import Alert

if TYPE_CHECKING:
    from incident.desk import Desk

SILENT = "LocationSilent"
SEVERITY = "SEV3"


async def silent_locations(desk: "Desk", now: datetime) -> Sequence[Alert]:
    await desk.locations.look(now)
    return [_alert(row, now) for row in await desk.locations.listed() if row["silent"]]


def _alert(row: dict[str, object], now: datetime) -> Alert:
    name, heard_at = str(row["location"]), datetime.fromisoformat(str(row["heard_at"]))
    said = f"no word from the prober at {name} since {heard_at:%Y-%m-%d %H:%M:%S} UTC"
    labels = {"alertname": SILENT, "location": name, "severity": SEVERITY}
    return Alert(labels, min(heard_at, now), now, {"summary": said})
