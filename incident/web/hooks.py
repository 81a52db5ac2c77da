"""Webhooks in: Alertmanager's, Grafana's, anybody's by a mapping, and PagerDuty's Events API. Plain starlette.

Trouble of ours is answered 503, which senders try again; what is wrong with a payload is 400, which they do not.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from incident.core.actor import Actor, Kind, Role
from incident.desk import Desk
from incident.errors import IncidentError, NotAllowed, PartlyRefused, StoreFull, StoreUnavailable
from incident.intake import generic, pagerduty, severities, webhook
from incident.intake.payload import Unreadable, a_dict, decoded, instant, text
from incident.intake.settings import Source
from incident.intake.signature import BadSignature, check
from incident.web.bodies import too_deep
from incident.web.callers import Callers
from probes.alert import Alert

log = structlog.get_logger("intake")
NO_STORE = {"Cache-Control": "no-store"}

Read = Callable[[Any, Source | None, datetime], list[Alert]]


class Hooks:
    def __init__(self, desk: Desk, callers: Callers, clock: Callable[[], datetime]) -> None:
        self.desk = desk
        self.callers = callers
        self.clock = clock

    def routes(self) -> list[Route]:
        both = ["POST", "PUT"]
        return [
            Route("/hooks/alertmanager", self._hook(_alertmanager), methods=both, name="alertmanager"),
            Route("/hooks/grafana", self._hook(_grafana), methods=both, name="grafana"),
            Route("/hooks/generic", self._hook(_generic), methods=both, name="generic"),
            Route("/v2/enqueue", self.enqueue, methods=["POST"]),
            Route("/v2/change/enqueue", self.change, methods=["POST"]),
            Route("/generic/2010-04-15/create_event.json", self.create_event, methods=["POST"]),
        ]

    def _hook(self, read: Read) -> Callable[[Request], Any]:
        async def hook(request: Request) -> Response:
            actor: Actor = request.state.actor
            source = self.desk.settings.intake.source(actor.name)
            body = await request.body()
            try:
                _may_send(actor)
                if source is not None and source.hmac is not None:
                    check(body, request.headers, source.hmac, self.clock())
                alerts = read(decoded(body), source, self.clock())
                if alerts and read is _generic:
                    await severities.intake(self.desk, alerts, actor.name, self.clock())
                elif alerts:
                    await self.desk.intake(alerts, actor.name)
            except IncidentError as error:
                return _refused(error)
            return JSONResponse({"alerts": len(alerts)}, headers=NO_STORE)

        return hook

    async def enqueue(self, request: Request) -> Response:
        return await self._event(request, pagerduty.read, 202, "dedup_key")

    async def create_event(self, request: Request) -> Response:
        return await self._event(request, pagerduty.read_v1, 200, "incident_key")

    async def _event(
        self, request: Request, read: Callable[[Any], pagerduty.Event], status: int, key_name: str
    ) -> Response:
        try:
            event = read(decoded(await request.body()))
            source = await self._sender(request, event.routing_key)
            if source is None:
                return _invalid(["'routing_key' is unknown here: it should be the token of a source"], 401)
            await self.desk.events.take(event, source)
        except pagerduty.InvalidEvent as invalid:
            return _invalid(invalid.errors)
        except IncidentError as error:
            return _invalid([str(error)], _status(error))
        said = {"status": "success", "message": "Event processed", key_name: event.key}
        return JSONResponse(said, status, NO_STORE)

    async def change(self, request: Request) -> Response:
        """Changes, such as deploys: kept, and shown beside incidents. They never page."""
        try:
            body = a_dict(decoded(await request.body()), "the event")
            payload = a_dict(body.get("payload"), "payload")
            source = await self._sender(request, text(body.get("routing_key"), 1024))
            if source is None:
                return _invalid(["'routing_key' is unknown here: it should be the token of a source"], 401)
            if not (summary := text(payload.get("summary"), 1024)):
                return _invalid(["'payload.summary' is missing or blank"])
            data = {"origin": text(payload.get("source"), 200), "details": text(payload.get("custom_details"), 4000)}
            at = min(instant(payload.get("timestamp")) or self.clock(), self.clock())
            await self.desk.events.changed(source, summary, {k: v for k, v in data.items() if v}, at)
        except IncidentError as error:
            return _invalid([str(error)], _status(error))
        return JSONResponse({"status": "success", "message": "Change event processed"}, 202, NO_STORE)

    async def _sender(self, request: Request, routing_key: str) -> str | None:
        """Who sends: whose token the routing key is, else whose came in the header, else a program of this machine."""
        keyed = await self.callers.find(routing_key)
        actor: Actor | None = keyed if keyed is not None else request.state.actor
        if actor is None:
            return None
        _may_send(actor)
        if self.callers.signs(actor):
            raise Unreadable(f"{actor.name} signs what it sends, which this interface cannot: use /hooks")
        return actor.name


def _alertmanager(body: Any, source: Source | None, now: datetime) -> list[Alert]:
    return webhook.read(body, now, _hold(source, webhook.HOLD))


def _grafana(body: Any, source: Source | None, now: datetime) -> list[Alert]:
    return webhook.read_grafana(body, now, _hold(source, webhook.HOLD))


def _generic(body: Any, source: Source | None, now: datetime) -> list[Alert]:
    if source is None or source.map is None:
        raise Unreadable("no mapping is configured for this sender: see `map` under intake.sources in shopwatch.yaml")
    wrapped = generic.inside(body, source.map)
    if wrapped is not None:
        if too_deep(wrapped):
            raise Unreadable(f"the text in {source.map.inside} is nested too deep")
        body = decoded(wrapped)
    return generic.read(body, source.map, now, _hold(source, generic.HOLD), source.name)


def _hold(source: Source | None, default: timedelta) -> timedelta:
    return default if source is None or source.silent_after is None else timedelta(seconds=source.silent_after)


def _may_send(actor: Actor) -> None:
    if actor.kind is Kind.PERSON:
        actor.must_be(Role.RESPONDER, "send alerts")


def _ours(error: IncidentError) -> bool:
    return isinstance(error, StoreFull | StoreUnavailable)


def _status(error: IncidentError) -> int:
    """Of an event that was not taken."""
    return 503 if _ours(error) else 403 if isinstance(error, NotAllowed) else 400


def _refused(error: IncidentError) -> Response:
    if _ours(error):
        return JSONResponse({"error": str(error)}, 503, NO_STORE)
    if isinstance(error, BadSignature):
        return JSONResponse({"error": str(error)}, 401, NO_STORE)
    text = "; ".join(error.problems) if isinstance(error, PartlyRefused) else str(error)
    status = 400 if isinstance(error, Unreadable | PartlyRefused) else 403
    return JSONResponse({"error": text}, status, NO_STORE)


def _invalid(errors: list[str], status: int = 400) -> Response:
    said = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
    return JSONResponse(said, status, NO_STORE)
