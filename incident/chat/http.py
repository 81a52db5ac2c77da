"""Slack's requests: signed slash commands and button presses. Acknowledged at once, worked on afterwards.

Source: Slack's "Verifying requests from Slack", "Slash commands", "Handling user interaction".
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import structlog
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from incident.chat.blocks import ACK, RESOLVE, summary
from incident.chat.people import actor_of
from incident.chat.reply import Replies
from incident.chat.text import escape, unescape
from incident.chat.words import HELP, Typed, parse
from incident.core.model import Incident
from incident.desk import Desk
from incident.errors import IncidentError, Refused
from incident.naming import meant
from incident.settings import SlackSettings

log = structlog.get_logger("incident.chat")
LARGEST = 256 * 1024  # bytes of a request
OLDEST = 300.0  # seconds
_MOST_LISTED = 20
_PRESSED = {ACK: "ack", RESOLVE: "resolve"}


def routes(desk: Desk) -> list[BaseRoute]:
    """None without a signing secret: nothing could be believed."""
    slack = desk.settings.slack
    if slack is None or slack.signing_secret is None:
        return []
    chat = Chat(desk, slack, slack.signing_secret)
    return [
        Route("/slack/commands", chat.endpoint(chat.command), methods=["POST"]),
        Route("/slack/interactions", chat.endpoint(chat.pressed), methods=["POST"]),
    ]


def genuine(secret: str, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    """Whether Slack sent this, and not long ago. Never raises, whatever the headers hold."""
    if not timestamp.isascii() or not timestamp.isdigit() or abs(now - int(timestamp[:12])) > OLDEST:
        return False
    expected = "v0=" + hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))


class Chat:
    """`clock` is the wall clock, in Unix seconds."""

    def __init__(self, desk: Desk, slack: SlackSettings, secret: str, clock: Callable[[], float] = time.time) -> None:
        self.desk = desk
        self.secret = secret
        self.clock = clock
        self.replies = Replies(slack)
        self._taken: dict[str, float] = {}  # signatures of genuine requests, and when they came

    def endpoint(
        self, work: Callable[[Mapping[str, str]], Coroutine[Any, Any, None]]
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Answers 200 for what is genuine, and only then starts the work: Slack waits for three seconds at most."""

        async def handle(request: Request) -> Response:
            body = await _body(request)
            if body is None:
                return PlainTextResponse("too large\n", 413)
            given = request.headers.get("x-slack-request-timestamp", ""), request.headers.get("x-slack-signature", "")
            if not genuine(self.secret, *given, body, self.clock()):
                return PlainTextResponse("not signed by Slack, or too long ago\n", 401)
            try:
                form = dict(parse_qsl(body.decode(), keep_blank_values=True))
            except (UnicodeDecodeError, ValueError):
                return PlainTextResponse("not a form\n", 401)
            if self._is_repeated(given[1]):
                return Response(status_code=200)
            return Response(status_code=200, background=BackgroundTask(work, form))

        return handle

    def _is_repeated(self, signature: str) -> bool:
        """Each request of Slack's has an id in it, so that no two are alike: one that comes twice is played back."""
        now = self.clock()
        for old in [taken for taken, at in self._taken.items() if abs(now - at) > 2 * OLDEST]:
            del self._taken[old]
        repeated = signature in self._taken
        self._taken.setdefault(signature, now)
        if repeated:
            log.warning("a request of Slack's came a second time; it was not acted on again")
        return repeated

    async def command(self, form: Mapping[str, str]) -> None:
        await self._answer(form.get("response_url", ""), form.get("user_id", ""), lambda: self._typed(form))

    def _typed(self, form: Mapping[str, str]) -> Typed:
        zone = ZoneInfo(self.desk.settings.shop.time_zone)
        return parse(unescape(form.get("text", "")), self.desk.now().astimezone(zone))

    async def pressed(self, form: Mapping[str, str]) -> None:
        payload = _payload(form.get("payload", ""))
        if payload is None or payload.get("type") != "block_actions":
            log.info("interaction passed over", kind=str((payload or {}).get("type"))[:40])
            return
        user = payload.get("user")
        member = str(user.get("id", "")) if isinstance(user, dict) else ""
        await self._answer(str(payload.get("response_url", "")), member, lambda: _button(payload), quiet=True)

    async def _answer(self, url: str, member: str, read: Callable[[], Typed | None], quiet: bool = False) -> None:
        """`quiet`: say nothing about what the channel shows anyway."""
        try:
            typed = read()
            if typed is None:
                return
            said = await self._do(typed, member)
        except IncidentError as error:
            await self.replies.send(url, escape(str(error)))
            return
        if not quiet:
            await self.replies.send(url, said)

    async def _do(self, typed: Typed, member: str) -> str:
        """Raises IncidentError."""
        actor = actor_of(self.desk.settings, member)
        if typed.action == "help":
            return HELP
        if typed.action == "list":
            return _listed(await self.desk.incidents(open_only=True))
        if typed.action == "show":
            return summary(await self.desk.incident(typed.number or 0))
        args = await meant(self.desk, typed.action, actor, typed.args)
        incident = await self.desk.perform(typed.action, typed.number, actor, args)
        return f"Done. {summary(incident)}"


async def _body(request: Request) -> bytes | None:
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > LARGEST:
            return None
    return bytes(read)


def _payload(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _button(payload: Mapping[str, Any]) -> Typed | None:
    """The action of the button that was pressed; None for one that is not ours. Raises Refused."""
    pressed = payload.get("actions")
    first = pressed[0] if isinstance(pressed, list) and pressed else None
    if not isinstance(first, dict) or not isinstance(action := first.get("action_id"), str) or action not in _PRESSED:
        return None
    number = first.get("value")
    if not isinstance(number, str) or not number.isascii() or not number.isdecimal() or len(number) > 9:
        raise Refused("this button belongs to no incident")
    return Typed(_PRESSED[action], int(number))


def _listed(incidents: list[Incident]) -> str:
    if not incidents:
        return "No incident is open."
    lines = [summary(incident) for incident in incidents[:_MOST_LISTED]]
    more = len(incidents) - len(lines)
    return "\n".join([*lines, *([f"… and {more} more"] if more > 0 else [])])
