"""The door of every request: an ASGI middleware that asks `guards`, finds out who calls, and caps the body.

Default is closed: a path that no rule below names needs a token.
"""

import asyncio
import base64
import binascii
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from incident.errors import StoreUnavailable
from incident.web import bodies, guards
from incident.web.callers import Callers

JSON_TYPE = ("application/json",)
FORM_TYPES = ("application/x-www-form-urlencoded", "application/json")
KIB = 1024
HELD = 256 * KIB * KIB  # bytes of bodies that are still arriving, all together
BODY_SECONDS = 30.0  # a body that takes longer to arrive is cut off


class Access(Enum):
    PUBLIC = auto()
    INTAKE = auto()  # loopback without a token, until a source token is configured
    SCRAPE = auto()  # loopback without a token
    KEYED = auto()  # as INTAKE, but the key may stand in the body, where the route looks for it
    SIGNED = auto()  # the route checks a signature of its own
    TOKEN = auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """`plain_with`: a header of a sender that calls its JSON text/plain, and that no web page can send unasked."""

    access: Access
    body_limit: int = 256 * KIB
    types: tuple[str, ...] = JSON_TYPE
    signatures: bool = False  # the route checks those of sources that sign
    plain_with: str | None = None


_TOKEN = Rule(Access.TOKEN)
_INTAKE = Rule(Access.INTAKE, 4096 * KIB)
_ATTACHMENT = Rule(Access.TOKEN, 2048 * KIB)
_HOOKS = Rule(Access.INTAKE, 4096 * KIB, signatures=True)
_KEYED = Rule(Access.KEYED, 512 * KIB)
_EXACT = dict.fromkeys(
    (
        "/",
        "/zh",
        "/zh/",
        "/logo",
        "/favicon.ico",
        "/api/v2/summary.json",
        "/api/v2/scheduled-maintenances.json",
        "/-/healthy",
        "/-/ready",
    ),
    Rule(Access.PUBLIC),
) | {
    "/api/v1/results": Rule(Access.TOKEN, 16_384 * KIB),
    "/hooks/generic": replace(_HOOKS, plain_with="x-amz-sns-message-type"),
    "/probe": Rule(Access.SCRAPE),
    "/v2/enqueue": _KEYED,
    "/v2/change/enqueue": _KEYED,
    "/generic/2010-04-15/create_event.json": _KEYED,
}
_ALERTMANAGER = ("alerts", "silences", "silence", "status", "receivers")
_PREFIXES = [(f"/api/{version}/{name}", _INTAKE) for version in ("v1", "v2") for name in _ALERTMANAGER] + [
    ("/hooks", _HOOKS),
    ("/incidents", Rule(Access.PUBLIC)),
    ("/slack", Rule(Access.SIGNED, types=FORM_TYPES)),
]


def rule_for(path: str) -> Rule:
    if path in _EXACT:
        return _EXACT[path]
    if path.startswith("/api/v1/incidents/") and path.endswith(("/attachments", "/review")):
        return _ATTACHMENT
    return next((rule for prefix, rule in _PREFIXES if path == prefix or path.startswith(prefix + "/")), _TOKEN)


class Refusal(Exception):
    """Ends a request early with this status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Gate:
    """Wraps the app; puts the caller into `request.state.actor` (None for the anonymous on public routes)."""

    def __init__(self, app: ASGIApp, callers: Callers, names: guards.Names, body_seconds: float = BODY_SECONDS) -> None:
        self.app = app
        self.callers = callers
        self.names = names
        self.body_seconds = body_seconds
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _close(scope, receive, send)
            return
        rule = rule_for(scope["path"])
        peer = _peer(scope)
        try:
            if peer.method not in guards.SAFE:
                self._check_origin(peer, rule)
            scope.setdefault("state", {})["actor"] = await self._caller(peer, rule)
            if peer.method not in guards.SAFE:
                receive = await self._with_body(receive, peer, rule)
        except Refusal as refusal:
            await answer(scope["path"], refusal)(scope, receive, send)
            return
        except StoreUnavailable as error:  # nobody can say whose token it is
            await answer(scope["path"], Refusal(503, str(error)))(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _check_origin(self, peer: guards.Peer, rule: Rule) -> None:
        if text := guards.foreign(peer, self.names):
            raise Refusal(403, f"refused: {text}")
        types = (*rule.types, "text/plain") if rule.plain_with in peer.headers else rule.types
        if text := guards.wrong_content_type(peer, types):
            raise Refusal(415, text)

    async def _caller(self, peer: guards.Peer, rule: Rule) -> Any:
        if rule.access in (Access.PUBLIC, Access.SIGNED):
            return None
        secret = bearer(peer.headers.get("authorization", ""))
        if secret is not None:
            actor = await self.callers.find(secret, cli=peer.headers.get("x-shopwatch-via") == "cli")
            if actor is None:
                raise Refusal(401, "this token is unknown here, or was revoked")
            if not rule.signatures and self.callers.signs(actor):
                raise Refusal(403, f"{actor.name} signs what it sends, and signatures are checked under /hooks only")
            return actor
        open_here = rule.access in (Access.INTAKE, Access.KEYED, Access.SCRAPE) and guards.is_loopback(peer, self.names)
        if open_here and (rule.access is Access.SCRAPE or await self.callers.open_to_loopback()):
            return self.callers.neighbour
        if rule.access is Access.KEYED:
            return None
        raise Refusal(401, "a token is needed: Authorization: Bearer TOKEN (see `shopwatch token create`)")

    async def _with_body(self, receive: Receive, peer: guards.Peer, rule: Rule) -> Receive:
        """Reads the whole body, never more than the rule's limit, and returns a `receive` that gives it out again."""
        limit = rule.body_limit
        too_large = Refusal(413, f"the body is larger than {limit // KIB} KiB")
        declared = peer.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal(400, "the request ended before its body did")
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    self._held += len(parts[-1])
                    if size > limit:
                        raise too_large
                    if self._held > HELD:
                        raise Refusal(503, "too many bodies arrive at once: come again")
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            raise Refusal(408, f"the body did not arrive within {self.body_seconds:g} seconds") from None
        finally:
            self._held -= size
        body = b"".join(parts)
        _check(body, rule)
        return _replay(body, receive)


def _check(body: bytes, rule: Rule) -> None:
    """What comes as JSON can be read and written again by everybody. Intakes are as lenient as those they stand for."""
    if rule.types != JSON_TYPE or not body:
        return
    if bodies.too_deep(body):
        raise Refusal(400, f"the body is nested deeper than {bodies.DEEPEST} levels")
    if rule.access is Access.TOKEN and (text := bodies.no_json(body)):
        raise Refusal(400, text)


def bearer(header: str) -> str | None:
    """The secret of `Bearer SECRET`, or the password of `Basic …`; None where there is no such header."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return None


def answer(path: str, refusal: Refusal) -> Response:
    """A refusal in the shape of its API: Alertmanager's clients read `code` and `message`, ours read `error`."""
    alertmanager = path.startswith("/api/v2/")
    body = {"code": refusal.status, "message": refusal.text} if alertmanager else {"error": refusal.text}
    headers = {"Cache-Control": "no-store"}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="shopwatch"'
    if refusal.status in (408, 413):  # the rest of the body is not worth reading
        headers["Connection"] = "close"
    return JSONResponse(body, refusal.status, headers)


def actor_of(request: Request) -> Any:
    return request.state.actor


def _peer(scope: Scope) -> guards.Peer:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value  # two Hosts are no Host
    client, server = scope.get("client"), scope.get("server")
    return guards.Peer(
        scope["method"],
        headers,
        client[0] if client else None,
        server[0] if server else None,
        scope.get("scheme", "http"),
    )


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()  # waits for the disconnect
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _close(scope: Scope, receive: Receive, send: Send) -> None:
    """There are no web sockets here; a lifespan scope is not sent (`lifespan="off"`)."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
