"""The web app: every route, behind the gate."""

from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from incident.daemon.prober_line import ProberLine
from incident.desk import Desk
from incident.errors import Conflict, IncidentError, NotAllowed, NotFound, StoreFull, StoreUnavailable
from incident.settings import Settings
from incident.web.alertmanager import Alertmanager
from incident.web.api import Api
from incident.web.callers import Callers
from incident.web.gate import Gate
from incident.web.guards import Names
from incident.web.history import HistoryApi
from incident.web.hooks import Hooks
from incident.web.metrics import Metrics
from incident.web.muting_api import MutingApi
from incident.web.on_demand import OnDemandRuns
from incident.web.openapi import describe
from incident.web.reload import reload_routes
from incident.web.reviews import ReviewsApi
from incident.web.status import StatusPage
from incident.web.turns import Turns
from probes.version import __version__

log = structlog.get_logger("web")
_STATUSES: tuple[tuple[type[IncidentError], int], ...] = (
    (NotFound, 404),
    (NotAllowed, 403),
    (Conflict, 409),
    (StoreFull, 503),
    (StoreUnavailable, 503),
)


async def create_app(
    desk: Desk,
    settings: Settings,
    folder: Path | None = None,
    line: ProberLine | None = None,
    reload: Callable[[], Awaitable[None]] | None = None,
) -> Gate:
    """`desk` has been started. `folder` is the workspace, for the status page's logo; `line` leads to the prober;
    `reload` reads the workspace again."""
    callers = Callers(desk)
    metrics = Metrics(desk)
    app = FastAPI(
        title="Shopwatch",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.router.routes.extend(_plain_routes(desk, settings, folder, metrics))  # looked at in this order: hot ones first
    api = Api(desk, desk.base_url, metrics.observe)
    app.include_router(api.router)
    app.include_router(HistoryApi(desk).router)
    app.include_router(MutingApi(desk).router)
    app.include_router(ReviewsApi(desk).router)
    desk.reviews.folder = folder
    app.router.routes.extend(OnDemandRuns(line).routes())
    app.router.routes.extend(Hooks(desk, callers, desk.now).routes())
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(IncidentError, _incident_error)
    app.add_exception_handler(Exception, _defect)
    if reload is not None:
        app.router.routes.extend(reload_routes(reload))
    describe(app)
    app.add_middleware(Turns)
    gate = Gate(app, callers, _names(settings))
    chat = _chat_routes(desk)
    app.router.routes.extend(chat)
    slack = settings.slack

    async def reloaded(settings: Settings) -> None:
        nonlocal chat, slack
        gate.names = _names(settings)
        api.base_url = desk.base_url
        if settings.slack != slack:
            old, chat, slack = chat, _chat_routes(desk), settings.slack
            app.router.routes[:] = [*(route for route in app.router.routes if route not in old), *chat]

    desk.on_reload.append(reloaded)
    return gate


def _names(settings: Settings) -> Names:
    listen = settings.listen
    return Names.of(listen.host, settings.status_page.public_url, listen.trusted_proxies, listen.names)


def _plain_routes(desk: Desk, settings: Settings, folder: Path | None, metrics: Metrics) -> list[BaseRoute]:
    page, alertmanager = StatusPage(desk, settings, desk.now, folder), Alertmanager(desk, settings, desk.now)
    desk.on_reload += [page.reload, alertmanager.reload]
    return [
        *alertmanager.routes(),
        *page.routes(),
        Route("/metrics", metrics.get, methods=["GET"]),
        Route("/-/healthy", _healthy, methods=["GET"]),
        Route("/-/ready", _ready(desk), methods=["GET"]),
    ]


def _chat_routes(desk: Desk) -> list[BaseRoute]:
    if desk.settings.slack is None:
        return []
    routes: list[BaseRoute] = import_module("incident.chat.http").routes(desk)
    return routes


async def _healthy(request: Request) -> Response:
    return PlainTextResponse("Shopwatch is healthy.\n", headers={"Cache-Control": "no-store"})


def _ready(desk: Desk) -> Callable[[Request], Any]:
    async def ready(request: Request) -> Response:
        """Ready means that the database answers, and takes what it is given."""
        try:
            await desk.incidents(open_only=True)
            if desk.database.trouble is not None:
                raise desk.database.trouble
        except IncidentError as error:
            return PlainTextResponse(f"Shopwatch is not ready: {error}\n", 503, headers={"Cache-Control": "no-store"})
        return PlainTextResponse(f"Shopwatch is ready.\n{desk.loaded.text}", headers={"Cache-Control": "no-store"})

    return ready


def _error(status: int, text: str, path: str = "") -> JSONResponse:
    body = {"code": status, "message": text} if path.startswith("/api/v2/") else {"error": text}
    return JSONResponse(body, status, {"Cache-Control": "no-store"})


async def _invalid(request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    return _error(400, "; ".join(_problem(item) for item in problems[:10]) or "the request cannot be read")


def _problem(item: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in item["loc"] if part not in ("body", "query", "path"))
    if where:
        return f"{where}: {item['msg']}"
    return "a JSON body is missing" if item["type"] == "missing" else str(item["msg"])


async def _http_error(request: Request, error: Exception) -> Response:
    status, text = (error.status_code, str(error.detail)) if isinstance(error, HTTPException) else (500, "")
    return _error(status, text, request.url.path)


async def _incident_error(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 400)
    if status == 503:  # the store says once what the matter is; a flood of requests must not flood the log
        log.debug("request failed", path=request.url.path, error=str(error))
    return _error(status, str(error), request.url.path)


async def _defect(request: Request, error: Exception) -> Response:
    """The log has all of it; the caller learns nothing of our insides."""
    log.error("defect", path=request.url.path, exc_info=error)
    return _error(500, "an internal error, which the log of the daemon describes", request.url.path)
