"""Alertmanager's API v2, so that an unmodified Prometheus and amtool can talk to us. Plain starlette: it is hot."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
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
from incident.web.answers import NO_STORE, as_it_is, as_json, flag, no
from incident.web.groups import in_groups
from incident.web.matcher_text import read_matchers
from incident.web.receivers import Receivers, alertmanager_yaml
from incident.web.silence_routes import SilenceRoutes
from probes.labels import BadMatcher, all_match
from probes.regex import BadRegex, compile_strangers

log = structlog.get_logger("intake")
API_VERSION = "0.34.0"  # of Alertmanager's API that is spoken here; amtool compares it with its own
Chosen = tuple[StoredAlert, tuple[str, ...]]  # with its receivers
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
            chosen = await self._chosen(request)
        except (BadMatcher, BadRegex) as error:
            return JSONResponse(str(error), 400, NO_STORE)
        most = request.query_params.get("limit", "")
        if most.isdigit() and 0 < int(most) < len(chosen):  # our own commands ask so; Alertmanager knows no limit
            chosen = sorted(chosen, key=lambda one: (one[0].starts_at, one[0].fingerprint))[: int(most)]
        return as_it_is(await asyncio.to_thread(self.written.several, chosen))

    async def get_groups(self, request: Request) -> Response:
        """By service, as incidents are, receiver and route."""
        try:
            chosen = await self._chosen(request, only_named=True)
        except (BadMatcher, BadRegex) as error:
            return JSONResponse(str(error), 400, NO_STORE)
        muted_too = flag(request.query_params.get("muted", ""))

        def written() -> Response:
            return as_json(in_groups(chosen, self.receivers, muted_too=muted_too))

        return await asyncio.to_thread(written)  # ten thousand take a second, and nobody else is to wait for them

    async def _chosen(self, request: Request, *, only_named: bool = False) -> list[Chosen]:
        """Who fires and is asked for, by fingerprint, with the receivers; `only_named`: those that are asked for.

        Raises BadMatcher, BadRegex.
        """
        query = request.query_params
        matchers = read_matchers(query.getlist("filter"))
        named = compile_strangers(query["receiver"]) if query.get("receiver") else None
        if not self._of_receivers(request):
            return []
        shown = {name: flag(query.get(name, "")) for name in ("active", "silenced", "inhibited")}
        alerts = await self.desk.alerts()

        def choose() -> list[Chosen]:
            chosen = []
            for alert in alerts:
                if not _shown(alert, shown) or not all_match(matchers, alert.matched):
                    continue
                receivers = self.receivers.of(alert).channels
                asked = receivers if named is None else tuple(name for name in receivers if named.fullmatch(name))
                if asked:
                    chosen.append((alert, asked if only_named else receivers))
            return chosen

        return await asyncio.to_thread(choose)  # thousands take their time, and nobody else is to wait for them

    def _of_receivers(self, request: Request) -> bool:
        """Whether `receiver_matchers` lets ours pass, which have no labels. Raises BadMatcher."""
        return all_match(read_matchers(request.query_params.getlist("receiver_matchers")), {})

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
            shown = self._of_receivers(request)
        except BadMatcher as error:
            return JSONResponse(str(error), 400, NO_STORE)
        return as_json([{"name": name, "labels": {}} for name in self.receivers.names if shown])


_OLD = ("status", "receivers", "alerts", "alerts/groups", "silences", "silence/{id}")


async def deprecated(request: Request) -> Response:
    text = "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0; use v2"
    return JSONResponse({"status": "deprecated", "error": text}, 410, NO_STORE)


def _shown(alert: StoredAlert, shown: Mapping[str, bool]) -> bool:
    """`shown`: active, silenced and inhibited ones or not; an alert held back otherwise is none of the three."""
    if alert.muted is None:
        return shown["active"]
    return not (
        (alert.muted["silencedBy"] and not shown["silenced"]) or (alert.muted["inhibitedBy"] and not shown["inhibited"])
    )


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
