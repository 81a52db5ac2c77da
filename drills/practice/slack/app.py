"""The practice Slack as a web service: the API under `/api/`, response addresses, the driver's own endpoints under
`/_practice/slack/`, and a plain page to look at."""

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from drills.practice.slack.methods import METHODS, Arguments
from drills.practice.slack.people import AppAddresses, People
from drills.practice.slack.rates import Limiter
from drills.practice.slack.refusal import RateLimited, Refusal
from drills.practice.slack.trouble import KINDS, Cut, Trouble, Troubles, with_transport
from drills.practice.slack.world import Message, World

BOT_TOKEN = "xoxb-practice"  # noqa: S105 - the defaults, in plain sight
SIGNING_SECRET = "practice-signing-secret"  # noqa: S105
LARGEST = 1024 * 1024  # bytes of a request

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Practice Slack</title>
<meta http-equiv="refresh" content="2"><style>body{font:15px/1.5 system-ui;max-width:50rem;margin:2rem auto}
li{white-space:pre-wrap}.reply{margin-left:2rem;color:#555}</style><h1>Practice Slack</h1>
{% for channel in channels %}<h2>#{{ channel.name }}</h2><ul>
{% for message in channel.messages.values() -%}
<li{% if message.thread_ts %} class="reply"{% endif %}>{{ message.text or message.blocks -}}
{% if message.for_user %} (only for {{ message.for_user }}){% endif %}</li>
{% endfor %}</ul>{% endfor %}"""


class Slack:
    """`token` opens the driver's endpoints; the app under test shows `bot_token`."""

    def __init__(self, token: str, bot_token: str, signing_secret: str, addresses: AppAddresses) -> None:
        self.token = token
        self.bot_token = bot_token
        self.world = World()
        self.people = People(self.world, signing_secret, addresses)
        self.limiter = Limiter()
        self.troubles = Troubles()
        self.calls: dict[str, int] = {}
        self._page = Environment(autoescape=True).from_string(_PAGE)
        self._starlette = Starlette(routes=self._routes())

    def _routes(self) -> list[Route]:
        driver = {
            "state": (self._state, "GET"),
            "app": (self._connect, "PUT"),
            "command": (self._command, "POST"),
            "press": (self._press, "POST"),
            "submit": (self._submit, "POST"),
            "trouble": (self._trouble, "PUT"),
        }
        return [
            Route("/", self._show),
            Route("/-/ready", _ready),
            Route("/api/{method}", self._api, methods=["GET", "POST"]),
            Route("/respond/{team}/{key}", self._respond, methods=["POST"]),
            *(
                Route(f"/_practice/slack/{name}", self._guarded(handler), methods=[method])
                for name, (handler, method) in driver.items()
            ),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._starlette(with_transport(scope, send) if scope["type"] == "http" else scope, receive, send)

    async def _api(self, request: Request) -> Response:
        name = request.path_params["method"]
        self.calls[name] = self.calls.get(name, 0) + 1
        try:
            arguments = await _arguments(request)
            self._authenticate(request, arguments)
            return self._troubled(name, lambda: self._run(name, arguments))
        except RateLimited as refusal:
            headers = {"Retry-After": str(refusal.retry_after)}
            return JSONResponse({"ok": False, "error": refusal.code}, 429, headers)
        except Refusal as refusal:
            document: dict[str, Any] = {"ok": False, "error": refusal.code}
            if refusal.messages:
                document |= {"errors": refusal.messages, "response_metadata": {"messages": refusal.messages}}
            return JSONResponse(document)

    def _troubled(self, name: str, run: Callable[[], Response]) -> Response:
        """Runs it, unless trouble is waiting for that method."""
        trouble = self.troubles.next(name)
        if trouble is None:
            return run()
        if trouble.kind == "error_500":
            return PlainTextResponse("Internal Server Error", 500)
        if trouble.kind == "rate_limited":
            raise RateLimited(trouble.retry_after)
        if trouble.kind == "lose_answer":
            run()
        return Cut(hang=trouble.kind == "hang")

    def _run(self, name: str, arguments: Arguments) -> Response:
        method = METHODS.get(name)
        if method is None:
            raise Refusal("unknown_method")
        key = (name, str(arguments.get("channel", ""))) if method.per_channel else (name,)
        self.limiter.take(key, method.rate)
        return JSONResponse({"ok": True, **method.run(self.world, arguments)})

    def _authenticate(self, request: Request, arguments: Arguments) -> None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ") or str(arguments.get("token", ""))
        if not given:
            raise Refusal("not_authed")
        if not hmac.compare_digest(given.encode(), self.bot_token.encode()):
            raise Refusal("invalid_auth")

    async def _respond(self, request: Request) -> Response:
        try:
            arguments = dict(await _arguments(request))

            def run() -> Response:
                self.people.respond(request.path_params["key"], arguments)
                return JSONResponse({"ok": True})

            return self._troubled("response_url", run)
        except RateLimited as refusal:
            return PlainTextResponse("rate_limited", 429, {"Retry-After": str(refusal.retry_after)})
        except Refusal as refusal:
            gone = refusal.code in ("expired_url", "used_url")
            return JSONResponse({"ok": False, "error": refusal.code}, 404 if gone else 400)

    def _guarded(self, handler: Callable[[dict[str, Any]], Awaitable[Any]]) -> Callable[..., Awaitable[Response]]:
        """A driver's endpoint: JSON in and out, with the practice token."""

        async def endpoint(request: Request) -> Response:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                return JSONResponse({"error": "the practice token is needed: Authorization: Bearer TOKEN"}, 401)
            try:
                body = await request.body()
                return JSONResponse(await handler(json.loads(body) if body else {}))
            except Refusal as refusal:
                return JSONResponse({"error": str(refusal)}, 409)
            except (KeyError, TypeError, ValueError) as error:
                return JSONResponse({"error": f"not understood: {error!r}"}, 400)

        return endpoint

    async def _state(self, _: dict[str, Any]) -> Any:
        world = self.world
        channels = [
            {"id": channel.id, "name": channel.name, "messages": [_full(m) for m in channel.messages.values()]}
            for channel in world.channels.values()
        ]
        views = [view.to_json() | {"user": view.user} for view in world.views.values() if view.open]
        return {"channels": channels, "users": world.users, "views": views, "calls": self.calls}

    async def _connect(self, asked: dict[str, Any]) -> Any:
        addresses = self.people.addresses
        addresses.commands = asked.get("commands", addresses.commands)
        addresses.interactions = asked.get("interactions", addresses.interactions)
        return {"commands": addresses.commands, "interactions": addresses.interactions}

    async def _command(self, asked: dict[str, Any]) -> Any:
        return await self.people.command(
            asked.pop("user"), asked.pop("channel"), asked.pop("command"), asked.pop("text", ""), **asked
        )

    async def _press(self, asked: dict[str, Any]) -> Any:
        return await self.people.press(
            asked.pop("user"), asked.pop("channel"), asked.pop("ts"), asked.pop("action_id"), **asked
        )

    async def _submit(self, asked: dict[str, Any]) -> Any:
        return await self.people.submit(asked.pop("user"), asked.pop("view_id"), asked.pop("values"), **asked)

    async def _trouble(self, asked: dict[str, Any]) -> Any:
        """`{"method": …, "kind": …, "times": 1, "retry_after": 1}`; an empty body takes all trouble away."""
        if not asked:
            self.troubles.waiting.clear()
            return {"waiting": 0}
        if asked["kind"] not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}")
        times, retry_after = int(asked.get("times", 1)), int(asked.get("retry_after", 1))
        self.troubles.waiting.append(Trouble(asked["method"], asked["kind"], times, retry_after))
        return {"waiting": len(self.troubles.waiting)}

    async def _show(self, _: Request) -> Response:
        return HTMLResponse(self._page.render(channels=self.world.channels.values()))


def create_app(*, token: str, url: str, settings: Mapping[str, str]) -> Slack:
    """`settings`: PRACTICE_SLACK_BOT_TOKEN, PRACTICE_SLACK_SIGNING_SECRET, PRACTICE_SLACK_COMMANDS_URL,
    PRACTICE_SLACK_INTERACTIONS_URL, each with a default (the addresses can be told later)."""
    addresses = AppAddresses(
        settings.get("PRACTICE_SLACK_COMMANDS_URL", ""), settings.get("PRACTICE_SLACK_INTERACTIONS_URL", ""), url
    )
    bot_token = settings.get("PRACTICE_SLACK_BOT_TOKEN", BOT_TOKEN)
    return Slack(token, bot_token, settings.get("PRACTICE_SLACK_SIGNING_SECRET", SIGNING_SECRET), addresses)


async def _arguments(request: Request) -> Arguments:
    """Of the query, and of a JSON or form body. Raises Refusal."""
    body = await request.body()
    if len(body) > LARGEST:
        raise Refusal("request_too_large")
    arguments: dict[str, Any] = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            document = json.loads(body or b"{}")
        except ValueError as error:
            raise Refusal("invalid_json") from error
        if not isinstance(document, dict):
            raise Refusal("json_not_object")
        return arguments | document
    if body and kind == "application/x-www-form-urlencoded":
        return arguments | dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if body:
        raise Refusal("invalid_post_type")
    return arguments


def _full(message: Message) -> dict[str, Any]:
    return message.to_json() | {"for_user": message.for_user, "edits": message.edits}


async def _ready(_: Request) -> Response:
    return JSONResponse({"service": "slack"})
