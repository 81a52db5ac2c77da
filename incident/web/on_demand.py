"""`/probe?journey=NAME`: one run now, for a scraper, in the manner of the blackbox exporter."""

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from incident.core.actor import Actor, Kind
from incident.daemon.prober_line import ProberAway, ProberLine, RunRefused
from incident.web.callers import Callers
from incident.web.metrics import CONTENT_TYPE
from probes.prober.exposition import exposition

log = structlog.get_logger("web")

SCRAPE_TIMEOUT = "X-Prometheus-Scrape-Timeout-Seconds"
OFFSET = 0.5  # seconds that the answer needs on its way back, as in the blackbox exporter
LONGEST = 120.0  # seconds, where the scraper does not say
_STATUSES = {"unknown": 400, "depth": 403, "busy": 503, "broken": 500}


class OnDemandRuns:
    def __init__(self, line: ProberLine | None) -> None:
        self._line = line

    def routes(self) -> list[Route]:
        return [Route("/probe", self.get, methods=["GET"])]

    async def get(self, request: Request) -> Response:
        journey = request.query_params.get("journey", "")
        if not journey:
            return _plain("Journey parameter is missing: /probe?journey=NAME", 400)
        try:
            seconds = _seconds(request.headers.get(SCRAPE_TIMEOUT))
        except ValueError as error:
            return _plain(str(error), 400)
        try:
            if self._line is None:
                raise ProberAway("no prober runs beside this daemon")
            result = await self._line.run(journey, seconds, _any_depth(request.state.actor))
        except RunRefused as refused:
            cure = ": a token is needed" if refused.kind == "depth" else ""
            return _plain(f"{refused}{cure}", _STATUSES.get(refused.kind, 500))
        except ProberAway as away:
            log.warning("a run on demand came to nothing", journey=journey, error=str(away))
            return _plain(str(away), 503)
        return Response(exposition(result), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


def _any_depth(actor: Actor | None) -> bool:
    """A stranger on this machine reads the shop at most; who holds a token may have a journey write into it."""
    return actor is not None and actor is not Callers.neighbour and actor.kind in (Kind.PERSON, Kind.SOURCE)


def _seconds(header: str | None) -> float:
    """How long the run may take. Raises ValueError for a header that is no number of seconds."""
    if header is None:
        return LONGEST
    try:
        seconds = float(header)
    except ValueError:
        seconds = float("nan")
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{SCRAPE_TIMEOUT} {header[:40]!r} is no number of seconds")
    return min(LONGEST, seconds - OFFSET if seconds > OFFSET else seconds)


def _plain(text: str, status: int) -> Response:
    return PlainTextResponse(f"{text}\n", status, headers={"Cache-Control": "no-store"})
