"""`where: 2 of 3 locations`: what one place alone sees is held back until enough others see it too. Pure.

A location that is silent, or does not run the journey, neither agrees nor disagrees: of those that are heard and run it
so many must agree, or all of them where there are fewer. Down agrees with degraded, not the other way round.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from incident.core.alerts import FIRING, StoredAlert
from incident.core.muting.mute import Mute

Heard = Mapping[str, frozenset[str] | None]
"""The locations that are not silent, and the journeys on which each has a say; None: its prober does not tell."""
_WHERE = re.compile(r"(\d{1,3}) of \d{1,3}")
_WORSE = {"JourneyDegraded": frozenset({"JourneyDegraded", "JourneyDown"})}


class Locations:
    """The stage. `heard`: the locations whose probers are known to be there."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._of_journey: dict[str, frozenset[str]] = {}
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
        journey = alert.labels.get("journey", "")
        others = self._firing.get(journey, {}).values()
        names = _WORSE.get(name, frozenset({name}))
        agreeing = {location for other, location in others if other in names} | {own}
        needed = min(count, len(self._having(journey) | agreeing))
        if len(agreeing) >= needed:
            return None
        return Mute(muted_by=(f"locations: {len(agreeing)} of {needed}",))

    def _having(self, journey: str) -> frozenset[str]:
        """Those that are heard and run it, so far as is known."""
        found = self._of_journey.get(journey)
        if found is None:
            found = frozenset(place for place, runs in self._heard.items() if runs is None or journey in runs)
            self._of_journey[journey] = found
        return found

    def edge(self, now: datetime) -> datetime | None:
        return None


def wanted(alert: StoredAlert) -> int | None:
    """How many locations must agree, as its prober says; None where it stands by itself."""
    found = _WHERE.fullmatch(alert.annotations.get("where", "").strip())
    return int(found[1]) if found and alert.labels.get("location") else None
