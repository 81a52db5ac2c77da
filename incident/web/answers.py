"""Answers in the manner of Alertmanager's API."""

import json
from typing import Any

from starlette.responses import JSONResponse, Response

NO_STORE = {"Cache-Control": "no-store"}
_TRUE = frozenset({"true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"})  # go-openapi's


def as_json(document: Any) -> Response:
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return as_it_is(body)


def as_it_is(body: bytes) -> Response:
    """`body` is JSON already."""
    return Response(body, 200, {**NO_STORE, "Content-Type": "application/json"})


def no(status: int, code: int, text: str) -> Response:
    """As go-openapi says no; `code` is its own."""
    return JSONResponse({"code": code, "message": text}, status, NO_STORE)


def flag(text: str) -> bool:
    """What a query means that is true where nothing is said."""
    return not text or text.lower() in _TRUE
