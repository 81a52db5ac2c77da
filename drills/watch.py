"""What a running Shopwatch shows: asked over its API, by the drill's conductor and by the demo's screen."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from incident.client import Client

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """One look: shapes are the API's. `incidents` holds the resolved ones too, newest first."""

    at: datetime
    journeys: list[Json] = field(default_factory=list)
    alerts: list[Json] = field(default_factory=list)
    incidents: list[Json] = field(default_factory=list)
    timelines: Mapping[int, list[Json]] = field(default_factory=dict)

    def journey(self, name: str) -> Json | None:
        """Its last result; of several locations the newest."""
        found = [item for item in self.journeys if item["journey"] == name and item.get("outcome")]
        return max(found, key=lambda item: item["started_at"], default=None)

    def outcome(self, name: str, since: datetime | None = None) -> str | None:
        """Of the last run, if it started after `since`."""
        last = self.journey(name)
        if last is None or (since is not None and datetime.fromisoformat(last["started_at"]) < since):
            return None
        return str(last["outcome"])

    def alerts_since(self, before: "Snapshot") -> list[Json]:
        """Those that did not fire then. Not by time: a run may have begun just before the fault that made it fail."""
        known = {(item["fingerprint"], item["startsAt"]) for item in before.alerts}
        return [item for item in self.alerts if (item["fingerprint"], item["startsAt"]) not in known]

    def incidents_since(self, before: "Snapshot") -> list[Json]:
        """Those that had not been opened then."""
        known = {item["number"] for item in before.incidents}
        return [item for item in self.incidents if item["number"] not in known]


class Watch:
    """Asks for a new Snapshot; of timelines only what is new."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.last = Snapshot(datetime.now(UTC))
        self._timelines: dict[int, list[Json]] = {}

    async def look(self) -> Snapshot:
        """Raises incident.client.Unreachable, Answered."""
        self.last = await asyncio.to_thread(self._ask)
        return self.last

    def _ask(self) -> Snapshot:
        journeys = self.client.get("/api/v1/journeys")
        alerts = self.client.get("/api/v2/alerts")
        incidents = self.client.get("/api/v1/incidents", all="true", limit=20)
        for incident in incidents:
            number = incident["number"]
            known = self._timelines.setdefault(number, [])
            seq = known[-1]["seq"] if known else 0
            if incident["seq"] > seq:
                known.extend(self.client.get(f"/api/v1/incidents/{number}/timeline", after=seq))
        timelines = {number: list(events) for number, events in self._timelines.items()}
        return Snapshot(datetime.now(UTC), journeys, alerts, incidents, timelines)
