"""What our own API says of keeping quiet, beyond what Alertmanager's has: `/api/v1/maintenance`, who made a silence."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from incident.core.actor import Actor, Role
from incident.core.policy import maintenance_of
from incident.desk import Desk


def _person(request: Request) -> Actor:
    actor: Actor = request.state.actor
    actor.must_be(Role.VIEWER, "read who keeps what quiet")
    return actor


Person = Annotated[Actor, Depends(_person)]


class MutingApi:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.router = APIRouter(prefix="/api/v1")
        add = self.router.add_api_route
        add("/maintenance", self.maintenance, methods=["GET"], summary="Maintenance windows, open and to come")
        add("/muting/silences/{silence}", self.record, methods=["GET"], summary="Who did what to a silence")

    async def maintenance(self, actor: Person) -> list[dict[str, Any]]:
        """The open ones, then those to come, by their beginning; one that recurs with its open or next window."""
        now = self.desk.now()
        found = []
        for item in maintenance_of(self.desk.settings):
            span = item.window.span(now)
            if span is None:
                continue
            recurrence = item.window.recurrence
            found.append(
                {
                    "name": item.name,
                    "services": list(item.services),
                    "journeys": list(item.journeys),
                    "starts_at": span[0].isoformat(),
                    "ends_at": span[1].isoformat(),
                    "open": span[0] <= now,
                    "cron": None if recurrence is None else recurrence.cron,
                    "time_zone": None if recurrence is None else recurrence.time_zone,
                }
            )
        return sorted(found, key=lambda one: str(one["starts_at"]))

    async def record(self, silence: str, actor: Person) -> list[dict[str, Any]]:
        """The oldest first."""
        return await self.desk.silences.record(silence)
