"""Alertmanager's API v2, so that an unmodified Prometheus and amtool can talk to us. Plain starlette: it is hot."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from incident.core.actor import Actor, Kind, Role
from incident.core.alerts import StoredAlert
from incident.desk import Desk
from incident.errors import PartlyRefused, StoreFull, StoreUnavailable
from incident.settings import Settings
from incident.web.alert_bytes import Written
from incident.web.alert_json import BadDocument, read_alerts, timestamp
from incident.web.alert_query import AlertQuery, passes_ours
from incident.web.answers import NO_STORE, as_it_is, as_json, flag, no
from incident.web.groups import in_groups
from incident.web.receivers import Receivers, alertmanager_yaml
from incident.web.silence_routes import SilenceRoutes
from probes.labels import BadMatcher
from probes.regex import BadRegex

log = structlog.get_logger("intake")
API_VERSION = "0.34.0"  # of Alertmanager's API that is spoken here; amtool compares it with its own
Handler = Callable[[Request], Awaitable[Response]]


class Alertmanager:
    """The routes. `clock` gives the present instant, UTC."""

    def __init__(self, desk: Desk, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.desk = desk
        self.clock = clock
        self.started_at = clock()
        self._use(settings)

    def _use(self, settings: Settings) -> None:
        self.receivers = Receivers(settings)
        self.written = Written()
        self.config = alertmanager_yaml(settings)

    async def reload(self, settings: Settings) -> None:
        self._use(settings)

    def routes(self) -> list[Route]:
        limited = Crowd().limited
        return [
            Route("/api/v2/alerts", self.post_alerts, methods=["POST"]),
            Route("/api/v2/alerts", limited(self.get_alerts), methods=["GET"]),
            Route("/api/v2/alerts/groups", limited(self.get_groups), methods=["GET"]),
            Route("/api/v2/status", self.get_status, methods=["GET"]),
            Route("/api/v2/receivers", self.get_receivers, methods=["GET"]),
            *SilenceRoutes(self.desk, self.clock).routes(),
            *(Route(f"/api/v1/{path}", deprecated, methods=["GET", "POST", "DELETE"]) for path in _OLD),
        ]

    async def post_alerts(self, request: Request) -> Response:
        actor: Actor = request.state.actor
        if actor.kind is Kind.PERSON and actor.role < Role.RESPONDER:
            return no(403, 403, f"{actor.name} is a {actor.role}: to send alerts takes the role {Role.RESPONDER}")
        try:
            alerts, problems = read_alerts(await request.body(), self.clock())
        except BadDocument as bad:
            return no(bad.status, bad.code, str(bad))
        try:
            if alerts:
                await self.desk.intake(alerts, actor.name)
        except PartlyRefused as refused:
            problems.extend(refused.problems)
        except (StoreFull, StoreUnavailable) as error:
            log.debug("alerts not stored", error=str(error), alerts=len(alerts))
            return JSONResponse(str(error), 503, NO_STORE)
        if problems:
            return JSONResponse("; ".join(problems), 400, NO_STORE)
        return Response(status_code=200, headers=NO_STORE)

    async def get_alerts(self, request: Request) -> Response:
        try:
            query = AlertQuery.of(request.query_params)
        except (BadMatcher, BadRegex) as error:
            return JSONResponse(str(error), 400, NO_STORE)
        most = _limit(request)
        firing = await self._firing(query, most)

        def written() -> bytes:
            chosen = query.among(firing, self.receivers)
            if most is not None and most < len(chosen):
                chosen = sorted(chosen, key=lambda one: (one[0].starts_at, one[0].fingerprint))[:most]
            return self.written.several(chosen)

        return as_it_is(await asyncio.to_thread(written))  # thousands take their time: nobody else is to wait for them

    async def get_groups(self, request: Request) -> Response:
        """By service, as incidents are, receiver and route."""
        try:
            query = AlertQuery.of(request.query_params)
        except (BadMatcher, BadRegex) as error:
            return JSONResponse(str(error), 400, NO_STORE)
        muted_too = flag(request.query_params.get("muted", ""))
        firing = await self._firing(query)

        def written() -> Response:
            chosen = query.among(firing, self.receivers, only_named=True)
            return as_json(in_groups(chosen, self.receivers, muted_too=muted_too))

        return await asyncio.to_thread(written)  # ten thousand take a second

    async def _firing(self, query: AlertQuery, most: int | None = None) -> list[StoredAlert]:
        """Among which those that are asked for are to be found: by fingerprint, or the `most` oldest in their order."""
        if query.nothing:
            return []
        return await self.desk.alerts(most if query.everything else None)

    async def get_status(self, request: Request) -> Response:
        version = {
            "version": API_VERSION,
            "revision": "shopwatch",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        }
        return as_json(
            {
                "cluster": {"status": "disabled", "peers": []},
                "config": {"original": self.config},
                "uptime": timestamp(self.started_at),
                "versionInfo": version,
            }
        )

    async def get_receivers(self, request: Request) -> Response:
        try:
            shown = passes_ours(request.query_params)
        except BadMatcher as error:
            return JSONResponse(str(error), 400, NO_STORE)
        return as_json([{"name": name, "labels": {}} for name in self.receivers.names if shown])


_OLD = ("status", "receivers", "alerts", "alerts/groups", "silences", "silence/{id}")


async def deprecated(request: Request) -> Response:
    text = "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0; use v2"
    return JSONResponse({"status": "deprecated", "error": text}, 410, NO_STORE)


def _limit(request: Request) -> int | None:
    """How many are asked for at the most. Our own commands say so; Alertmanager knows no limit."""
    said = request.query_params.get("limit", "")
    return (int(said) or None) if re.fullmatch("[0-9]{1,9}", said) else None


class Crowd:
    """At most so many GETs at once, as in Alertmanager: the others are told to come again."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most or max(os.cpu_count() or 1, 8)
        self.inside = 0

    def limited(self, answer: Handler) -> Handler:
        async def limited(request: Request) -> Response:
            if self.inside >= self.most:
                text = f"Limit of concurrent GET requests reached ({self.most}), try again later.\n"
                return PlainTextResponse(text, 503, NO_STORE)
            self.inside += 1
            try:
                return await answer(request)
            finally:
                self.inside -= 1

        return limited


def utc_now() -> datetime:
    return datetime.now(UTC)
