"""`where: 2 of 3 locations`: what one place alone sees is held back until enough others see it too. Pure.

A location that is silent neither agrees nor disagrees: of those that are heard so many must agree, or all of them where
there are fewer. Down agrees with degraded, not the other way round.
"""

import re
from collections.abc import Iterable
from datetime import datetime

from incident.core.alerts import FIRING, StoredAlert
from incident.core.muting.mute import Mute

_WHERE = re.compile(r"(\d{1,3}) of \d{1,3}")
_WORSE = {"JourneyDegraded": frozenset({"JourneyDegraded", "JourneyDown"})}


class Locations:
    """The stage. `heard`: the locations whose probers are known to be there."""

    def __init__(self, heard: Iterable[str]) -> None:
        self._heard = frozenset(heard)
        self._firing: dict[str, dict[str, tuple[str, str]]] = {}  # journey: fingerprint: alert name, location

    def start(self, firing: Iterable[StoredAlert]) -> None:
        self._firing = {}
        for alert in firing:
            self.changed(alert)

    def changed(self, alert: StoredAlert) -> Iterable[str]:
        if wanted(alert) is None:
            return ()
        journey = alert.labels.get("journey", "")
        known = self._firing.setdefault(journey, {})
        if alert.state == FIRING:
            known[alert.fingerprint] = (alert.labels.get("alertname", ""), alert.labels.get("location", ""))
        else:
            known.pop(alert.fingerprint, None)
        if not known:
            del self._firing[journey]
        return [fingerprint for fingerprint in known if fingerprint != alert.fingerprint]

    def mute(self, alert: StoredAlert, now: datetime) -> Mute | None:
        count = wanted(alert)
        if count is None:
            return None
        name, own = alert.labels.get("alertname", ""), alert.labels.get("location", "")
        others = self._firing.get(alert.labels.get("journey", ""), {}).values()
        names = _WORSE.get(name, frozenset({name}))
        agreeing = {location for other, location in others if other in names} | {own}
        needed = min(count, len(self._heard | agreeing))
        if len(agreeing) >= needed:
            return None
        return Mute(muted_by=(f"locations: {len(agreeing)} of {needed}",))

    def edge(self, now: datetime) -> datetime | None:
        return None


def wanted(alert: StoredAlert) -> int | None:
    """How many locations must agree, as its prober says; None where it stands by itself."""
    found = _WHERE.fullmatch(alert.annotations.get("where", "").strip())
    return int(found[1]) if found and alert.labels.get("location") else None
