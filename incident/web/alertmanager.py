"""Alertmanager's API v2, so that an unmodified Prometheus and amtool can talk to us. Plain starlette: it is hot."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from incident.core.actor import Actor, Kind, Role
from incident.core.alerts import StoredAlert
from incident.desk import Desk
from incident.errors import PartlyRefused, StoreFull, StoreUnavailable
from incident.settings import Settings
from incident.web.alert_json import BadDocument, read_alerts, timestamp, write_alert
from incident.web.receivers import Receivers, alertmanager_yaml
from probes.labels import BadMatcher, LabelMatcher, all_match, parse_matcher
from probes.regex import BadRegex, compile_regex

log = structlog.get_logger("intake")
NO_STORE = {"Cache-Control": "no-store"}
API_VERSION = "0.34.0"  # of Alertmanager's API that is spoken here; amtool compares it with its own
_TRUE = frozenset({"true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"})  # go-openapi's


class Alertmanager:
    """The routes. `clock` gives the present instant, UTC."""

    def __init__(self, desk: Desk, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.desk = desk
        self.clock = clock
        self.started_at = clock()
        self._use(settings)

    def _use(self, settings: Settings) -> None:
        self.receivers = Receivers(settings)
        self.config = alertmanager_yaml(settings)

    async def reload(self, settings: Settings) -> None:
        self._use(settings)

    def routes(self) -> list[Route]:
        return [
            Route("/api/v2/alerts", self.post_alerts, methods=["POST"]),
            Route("/api/v2/alerts", self.get_alerts, methods=["GET"]),
            Route("/api/v2/alerts/groups", self.get_groups, methods=["GET"]),
            Route("/api/v2/status", self.get_status, methods=["GET"]),
            Route("/api/v2/receivers", self.get_receivers, methods=["GET"]),
            *(Route(f"/api/v1/{path}", deprecated, methods=["GET", "POST", "DELETE"]) for path in _OLD),
        ]

    async def post_alerts(self, request: Request) -> Response:
        actor: Actor = request.state.actor
        if actor.kind is Kind.PERSON and actor.role < Role.RESPONDER:
            return _error(403, 403, f"{actor.name} is a {actor.role}: to send alerts takes the role {Role.RESPONDER}")
        try:
            alerts, problems = read_alerts(await request.body(), self.clock())
        except BadDocument as bad:
            return _error(bad.status, bad.code, str(bad))
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
        return _json([write_alert(alert, receivers) for alert, receivers in chosen])

    async def get_groups(self, request: Request) -> Response:
        """One group a receiver: routes here do not group by labels."""
        try:
            chosen = await self._chosen(request)
        except (BadMatcher, BadRegex) as error:
            return JSONResponse(str(error), 400, NO_STORE)
        names = sorted({name for _, receivers in chosen for name in receivers})
        return _json(
            [
                {
                    "alerts": [write_alert(alert, receivers) for alert, receivers in chosen if name in receivers],
                    "labels": {},
                    "receiver": {"name": name},
                    "routeLabels": {},
                }
                for name in names
            ]
        )

    async def _chosen(self, request: Request) -> list[tuple[StoredAlert, tuple[str, ...]]]:
        """Who fires and is asked for, by fingerprint, with the receivers. Raises BadMatcher, BadRegex."""
        query = request.query_params
        matchers = [_matcher(text) for text in query.getlist("filter")]
        wanted = compile_regex(query["receiver"]) if query.get("receiver") else None
        chosen = []
        for alert in await self.desk.alerts():
            if not _wanted(alert, query):
                continue
            if matchers and not all_match(matchers, alert.labels):
                continue
            receivers = self.receivers.of(alert)
            if wanted is None or any(wanted.fullmatch(name) for name in receivers):
                chosen.append((alert, receivers))
        return chosen

    async def get_status(self, request: Request) -> Response:
        version = {
            "version": API_VERSION,
            "revision": "shopwatch",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        }
        return _json(
            {
                "cluster": {"status": "disabled", "peers": []},
                "config": {"original": self.config},
                "uptime": timestamp(self.started_at),
                "versionInfo": version,
            }
        )

    async def get_receivers(self, request: Request) -> Response:
        return _json([{"name": name, "labels": {}} for name in self.receivers.names])


_OLD = ("status", "receivers", "alerts", "alerts/groups", "silences", "silence/{id}")


async def deprecated(request: Request) -> Response:
    text = "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0; use v2"
    return JSONResponse({"status": "deprecated", "error": text}, 410, NO_STORE)


def _matcher(text: str) -> LabelMatcher:
    if text.startswith("{") or text.endswith("}"):
        raise BadMatcher(f"unexpected open or close brace: {text}")
    return parse_matcher(text)


def _wanted(alert: StoredAlert, query: QueryParams) -> bool:
    if alert.muted is None:
        return _flag(query.get("active", "true"))
    silenced = alert.muted["silencedBy"] and not _flag(query.get("silenced", "true"))
    inhibited = alert.muted["inhibitedBy"] and not _flag(query.get("inhibited", "true"))
    return not (silenced or inhibited)


def _flag(text: str) -> bool:
    return text.lower() in _TRUE


def _json(document: Any) -> Response:
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Response(body, 200, {**NO_STORE, "Content-Type": "application/json"})


def _error(status: int, code: int, text: str) -> Response:
    return JSONResponse({"code": code, "message": text}, status, NO_STORE)


def utc_now() -> datetime:
    return datetime.now(UTC)
