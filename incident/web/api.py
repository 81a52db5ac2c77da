"""Shopwatch's own JSON API, `/api/v1`: each route only translates to the desk. Reference: docs/api.md."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response

from incident.attachments import File
from incident.core.actor import Actor, Kind, Role
from incident.core.model import Event, Incident
from incident.desk import Desk
from incident.errors import PartlyRefused
from incident.naming import meant
from incident.store import runs as run_store
from incident.web import api_models as models

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": models.ErrorShape, "description": text}
    for status, text in (
        (400, "The request makes no sense as it is"),
        (401, "A token is needed"),
        (403, "The role does not permit it, or the request came from a foreign page"),
        (404, "There is no such thing"),
        (409, "Somebody else changed it meanwhile"),
        (413, "The body is too large"),
        (415, "The Content-Type is not application/json"),
        (503, "The database cannot take it now"),
    )
}
MOST = 2**31 - 1  # what every database can hold as a number


def caller(request: Request) -> Actor:
    actor: Actor = request.state.actor
    return actor


def person(request: Request) -> Actor:
    """Whoever reads incidents is a person of any role, or Shopwatch itself."""
    actor = caller(request)
    actor.must_be(Role.VIEWER, "read incidents")
    return actor


Number = Annotated[int, Path(ge=0, le=MOST)]
Caller = Annotated[Actor, Depends(caller)]
Person = Annotated[Actor, Depends(person)]


class Api:
    """The routes of `/api/v1`. `observe` is told of every result that came in; `base_url` begins links."""

    def __init__(self, desk: Desk, base_url: str, observe: Callable[[list[dict[str, Any]]], None]) -> None:
        self.desk = desk
        self.base_url = base_url
        self.observe = observe
        self.router = APIRouter(prefix="/api/v1", responses=_ERRORS)
        self._incidents()
        self._probes()
        self._drills()
        self._tokens()

    def _incidents(self) -> None:
        add = self.router.add_api_route
        shape = models.IncidentShape
        shapes = list[models.IncidentShape]
        add("/incidents", self.list_incidents, methods=["GET"], response_model=shapes, summary="List incidents")
        add(
            "/incidents",
            self.open_incident,
            methods=["POST"],
            response_model=shape,
            summary="Open one",
            status_code=201,
        )
        add("/incidents/{number}", self.show, methods=["GET"], response_model=shape, summary="Show one")
        events = list[models.EventShape]
        add(
            "/incidents/{number}/timeline",
            self.timeline,
            methods=["GET"],
            response_model=events,
            summary="Its timeline",
        )
        for action, args in models.ACTION_ARGS.items():
            path = f"/incidents/{{number}}/{action}"
            add(
                path,
                self._action(action, args),
                methods=["POST"],
                response_model=shape,
                summary=f"Action: {action}",
                name=action,
            )

        add(
            "/incidents/{number}/attachments",
            self.attach,
            methods=["POST"],
            response_model=shape,
            summary="Attach a file",
            status_code=201,
        )
        add("/incidents/{number}/attachments/{key}", self.attachment, methods=["GET"], summary="An attached file")
        add("/changes", self.changes, methods=["GET"], summary="What was changed lately, such as deploys")

    def _action(self, action: str, model: type[models.Args]) -> Callable[..., Awaitable[dict[str, Any]]]:
        """The route of one action. Where no argument is required, neither is a body."""

        async def act(number: Number, actor: Caller, args: Any) -> dict[str, Any]:
            given = await meant(self.desk, action, actor, {} if args is None else args.given())
            return self._json(await self.desk.perform(action, number, actor, given))

        if any(field.is_required() for field in model.model_fields.values()):
            act.__annotations__["args"] = Annotated[model, Body()]
        else:
            act.__annotations__["args"] = Annotated[model | None, Body()]
            act.__defaults__ = (None,)
        return act

    def _probes(self) -> None:
        add = self.router.add_api_route
        add("/journeys", self.journeys, methods=["GET"], summary="Journeys with their last results")
        add("/locations", self.locations, methods=["GET"], summary="Where probers report from")
        add("/locations/{name}", self.forget_location, methods=["DELETE"], summary="Miss one no longer")
        add("/heartbeat", self.heartbeat, methods=["POST"], summary="A prober is there", status_code=204)
        add("/results", self.results, methods=["POST"], summary="Results of a prober", status_code=204)
        add("/deliveries", self.deliveries, methods=["GET"], summary="Who was told what, and what failed")

    def _drills(self) -> None:
        add = self.router.add_api_route
        add("/drills", self.drills, methods=["GET"], summary="Drills, the newest first")
        add("/drills", self.open_drill, methods=["POST"], summary="Open the window of a drill", status_code=201)
        add("/drills/{number}", self.close_drill, methods=["PATCH"], summary="Close it with its scorecard")

    def _tokens(self) -> None:
        add = self.router.add_api_route
        add("/tokens", self.tokens, methods=["GET"], summary="Tokens, without their secrets")
        add("/tokens", self.create_token, methods=["POST"], summary="Make a token", status_code=201)
        add("/tokens/{name}", self.revoke_token, methods=["DELETE"], summary="Revoke a token")

    def _json(self, incident: Incident) -> dict[str, Any]:
        return incident.to_json(self.base_url)

    async def list_incidents(self, actor: Person, everything: Annotated[bool, Query(alias="all")] = False) -> Any:
        """The open ones, or all of them; the newest first."""
        return [
            self._json(item)
            for item in sorted(
                await self.desk.incidents(open_only=not everything), key=lambda item: item.number, reverse=True
            )
        ]

    async def open_incident(self, actor: Caller, args: models.Open) -> Any:
        return self._json(await self.desk.perform("open", None, actor, args.model_dump(exclude_none=True)))

    async def show(self, number: Number, actor: Person) -> Any:
        return self._json(await self.desk.incident(number))

    async def timeline(self, number: Number, actor: Person, after: Annotated[int, Query(ge=0, le=MOST)] = 0) -> Any:
        events: list[Event] = await self.desk.timeline(number, after)
        return [event.to_json() for event in events]

    async def attach(self, number: Number, actor: Caller, args: models.NewAttachment) -> Any:
        file = File(args.name, args.media_type, bytes(args.content))
        return self._json(await self.desk.attachments.add(number, actor, file))

    async def attachment(self, number: Number, key: str, actor: Person) -> Response:
        """Always to be saved, never to be shown: what is in it came from outside."""
        about, content = await self.desk.attachments.content(number, key)
        name = quote(str(about["name"]))
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox",
            "Cache-Control": "no-store",
        }
        return Response(content, media_type="application/octet-stream", headers=headers)

    async def changes(self, actor: Person, hours: Annotated[float, Query(gt=0, le=9600)] = 24.0) -> Any:
        now = self.desk.now()
        return await self.desk.events.changes(now - timedelta(hours=hours), now)

    async def journeys(self, actor: Caller) -> Any:
        return await self.desk.journeys()

    async def results(self, actor: Caller, batch: list[dict[str, Any]]) -> None:
        if actor.kind is Kind.PERSON:
            actor.must_be(Role.ADMIN, "send results")
        try:
            await self.desk.results(batch)
        except PartlyRefused:
            self.observe([result for result in batch if run_store.is_sound(result)])  # what was stored counts
            raise
        self.observe(batch)

    async def locations(self, actor: Caller) -> Any:
        return await self.desk.locations.listed()

    async def forget_location(self, name: str, actor: Caller) -> Any:
        actor.must_be(Role.RESPONDER, "forget a location")
        await self.desk.locations.forget(name)
        return {"location": name, "forgotten": True}

    async def heartbeat(self, actor: Caller, body: dict[str, Any]) -> None:
        if actor.kind is Kind.PERSON:
            actor.must_be(Role.ADMIN, "report for a prober")
        await self.desk.locations.beat(body, actor.name)

    async def deliveries(self, actor: Person) -> Any:
        return await self.desk.deliveries()

    async def drills(self, actor: Person) -> Any:
        return await self.desk.drills()

    async def open_drill(self, actor: Caller, args: models.OpenDrill) -> Any:
        actor.must_be(Role.RESPONDER, "run a drill")
        return {"number": await self.desk.open_drill(args.name, args.target, args.services, args.until, actor)}

    async def close_drill(self, number: Number, actor: Caller, args: models.CloseDrill) -> Any:
        actor.must_be(Role.RESPONDER, "close a drill")
        await self.desk.close_drill(number, args.scorecard)
        return {"number": number}

    async def tokens(self, actor: Caller) -> Any:
        actor.must_be(Role.ADMIN, "list tokens")
        found = await self.desk.tokens()
        return [item | {"role": "source"} if item["kind"] == Kind.SOURCE else item for item in found]

    async def create_token(self, actor: Caller, args: models.NewToken) -> Any:
        actor.must_be(Role.ADMIN, "make tokens")
        source = args.role == "source"
        said = args.role or str(self.desk.tokens_kept.role_of(args.name))
        role, kind = ("viewer", Kind.SOURCE) if source else (said, Kind.PERSON)
        secret = await self.desk.create_token(args.name, role, kind)
        return {"name": args.name, "role": said, "token": secret}

    async def revoke_token(self, name: str, actor: Caller) -> Any:
        actor.must_be(Role.ADMIN, "revoke tokens")
        await self.desk.revoke_token(name)
        return {"name": name, "revoked": True}
