"""Silences of Alertmanager's API v2."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from incident.core.actor import Actor
from incident.desk import Desk
from incident.errors import NotAllowed, NotFound, Refused, StoreFull, StoreUnavailable
from incident.silences.keeping import in_order
from incident.silences.rules import Wanted
from incident.web.alert_json import WRONG_TYPE, BadDocument
from incident.web.answers import NO_STORE, as_json, flag, no
from incident.web.matcher_text import read_matchers
from incident.web.silence_json import is_uuid, read_silence, write_silence
from probes.labels import BadMatcher


class SilenceRoutes:
    """`clock` gives the present instant, UTC."""

    def __init__(self, desk: Desk, clock: Callable[[], datetime]) -> None:
        self.desk = desk
        self.clock = clock

    def routes(self) -> list[Route]:
        one = "/api/v2/silence/{silence}"
        return [
            Route("/api/v2/silences", self.listed, methods=["GET"]),
            Route("/api/v2/silences", self.post, methods=["POST"]),
            Route(one, self.get, methods=["GET"]),
            Route(one, self.delete, methods=["DELETE"]),
        ]

    async def listed(self, request: Request) -> Response:
        """A filter is about the silence's own matchers: it has one that is alike."""
        query = request.query_params
        try:
            wanted = read_matchers(query.getlist("filter"))
        except BadMatcher as error:
            return JSONResponse(str(error), 400, NO_STORE)
        now = self.clock()
        found = [
            silence
            for silence in in_order(await self.desk.silences.every(), now)
            if all(matcher in silence.matchers for matcher in wanted) and flag(query.get(str(silence.state(now)), ""))
        ]
        return as_json([write_silence(silence, now) for silence in found])

    async def post(self, request: Request) -> Response:
        actor: Actor = request.state.actor
        try:
            wanted = read_silence(await request.body(), self.clock(), self.desk.settings.shop.time_zone)
            return as_json({"silenceID": await self.desk.silences.post(_signed(wanted, actor), actor)})
        except BadDocument as bad:
            return no(bad.status, bad.code, str(bad))
        except NotFound as missing:
            return JSONResponse(str(missing), 404, NO_STORE)
        except NotAllowed as refused:
            return no(403, 403, str(refused))
        except Refused as refused:
            return JSONResponse(str(refused), 400, NO_STORE)
        except (StoreFull, StoreUnavailable) as error:
            return JSONResponse(str(error), 503, NO_STORE)

    async def get(self, request: Request) -> Response:
        silence = request.path_params["silence"]
        if not is_uuid(silence):
            return _no_uuid(silence)
        try:
            return as_json(write_silence(await self.desk.silences.get(silence), self.clock()))
        except NotFound:
            return Response(status_code=404, headers=NO_STORE)

    async def delete(self, request: Request) -> Response:
        silence = request.path_params["silence"]
        if not is_uuid(silence):
            return _no_uuid(silence)
        try:
            await self.desk.silences.expire(silence, request.state.actor)
        except NotFound:
            return Response(status_code=404, headers=NO_STORE)
        except NotAllowed as refused:
            return no(403, 403, str(refused))
        except (StoreFull, StoreUnavailable) as error:
            return JSONResponse(str(error), 503, NO_STORE)
        return Response(status_code=200, headers=NO_STORE)


def _signed(wanted: Wanted, actor: Actor) -> Wanted:
    """Without a name of its own it bears that of who sent it; who that was is in its record in any case."""
    return wanted if wanted.created_by else replace(wanted, created_by=actor.name)


def _no_uuid(text: str) -> Response:
    return no(422, WRONG_TYPE, f'silenceID in path must be of type uuid: "{text[:100]}"')
