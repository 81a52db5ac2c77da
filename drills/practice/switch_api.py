"""`/_practice/switches` of a practice service, and the way of the shop to those of its neighbours."""

import hmac
import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drills.practice.calling import CallFailed, call
from drills.practice.switches import SWITCHES, BadSwitchValue, Switchboard, UnknownSwitch, parse_value

PATH = "/_practice/switches"


class SwitchApi:
    """GET lists what is on. PUT takes `{"name": …, "value": …, "lease": seconds or "10m"}`. DELETE takes all out, or
    the one in `?name=`. `neighbours` maps the owners of other switches to their addresses."""

    def __init__(self, board: Switchboard, token: str, neighbours: Mapping[str, str] | None = None) -> None:
        self.board = board
        self.token = token
        self.neighbours = dict(neighbours or {})

    def routes(self) -> list[Route]:
        return [Route(PATH, self.handle, methods=["GET", "PUT", "DELETE"])]

    async def handle(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return JSONResponse({"error": "the switches need their token: Authorization: Bearer TOKEN"}, 401)
        try:
            if request.method == "PUT":
                await self._put(await request.body())
            elif request.method == "DELETE":
                await self._delete(request.query_params.get("name"))
            return JSONResponse({"active": await self._active(), "switches": _vocabulary()})
        except (UnknownSwitch, BadSwitchValue) as error:
            return JSONResponse({"error": str(error)}, 400)
        except CallFailed as error:
            return JSONResponse({"error": f"a neighbour of this service did not take the switch: {error}"}, 502)

    async def _put(self, body: bytes) -> None:
        try:
            asked = json.loads(body)
        except ValueError as error:
            raise BadSwitchValue(f"the body is not JSON: {error}") from error
        if not isinstance(asked, dict) or not {"name", "value"} <= set(asked) <= {"name", "value", "lease"}:
            raise BadSwitchValue('the body must be {"name": …, "value": …} and may have "lease"')
        name = asked["name"] if isinstance(asked["name"], str) else str(asked["name"])
        parse_value(name, asked["value"])
        if self.board.owns(name):
            self.board.put(name, asked["value"], asked.get("lease"))
        else:
            await self._pass_on("PUT", SWITCHES[name].owner, asked)

    async def _delete(self, name: str | None) -> None:
        if name is None:
            self.board.clear()
            for owner in self.neighbours:
                await self._pass_on("DELETE", owner)
        else:
            parse_value(name, False)
            await self._put(json.dumps({"name": name, "value": False}).encode())

    async def _active(self) -> list[dict[str, Any]]:
        active = [setting.to_json() for setting in self.board.active()]
        for owner in self.neighbours:
            active += (await self._pass_on("GET", owner))["active"]
        return active

    async def _pass_on(self, method: str, owner: str, document: Any = None) -> Any:
        if owner not in self.neighbours:
            raise UnknownSwitch(f"this switch belongs to a service that was not started: {owner}")
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = await call(method, self.neighbours[owner] + PATH, document=document, headers=headers, timeout=3)
        if answer.status == 400:
            raise BadSwitchValue(answer.json()["error"])
        if answer.status != 200:
            raise CallFailed(f"{owner} answered {answer.status}")
        return answer.json()


def _vocabulary() -> dict[str, dict[str, str]]:
    return {name: {"kind": s.kind, "owner": s.owner, "description": s.description} for name, s in SWITCHES.items()}
