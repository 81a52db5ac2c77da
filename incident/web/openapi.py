"""The OpenAPI document: what FastAPI knows of our own API, made true to the gate, and the plain routes beside it."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route

from incident.web.api_models import ErrorShape
from incident.web.openapi_plain import OPERATIONS, SCHEMAS

_OF_FASTAPI = ("HTTPValidationError", "ValidationError")  # its 422, which is a 400 here
_ALWAYS = {
    "400": "The request makes no sense as it is",
    "401": "A token is needed",
    "403": "The role does not permit it, or the request came from a foreign page",
    "404": "There is no such thing",
    "503": "The database, or the whole daemon, cannot take it now",
}
_CHANGING = {
    "408": "The body took too long to arrive",
    "413": "The body is too large",
    "415": "The Content-Type is not application/json",
}
_TOKEN = {"type": "http", "scheme": "bearer", "description": "Of a person or a source: `shopwatch token create`."}
_PASSWORD = {"type": "http", "scheme": "basic", "description": "The token as the password, whatever the name is."}


def describe(app: FastAPI) -> None:
    """From now on the app's document says everything. It is made when it is first asked for."""
    made_by_fastapi = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = made_by_fastapi()
            for method, operation in _operations(found):
                _true_to_the_gate(method, operation)
            _add_plain_routes(app, found)
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in document["paths"].values():
        yield from path.items()


def _true_to_the_gate(method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    said = _ALWAYS | ({} if method == "get" else _CHANGING)
    for status, text in said.items():
        responses.setdefault(status, {"description": text, "content": _json("ErrorShape")})
    operation["security"] = [{"token": []}, {"password": []}]


def _add_plain_routes(app: FastAPI, document: dict[str, Any]) -> None:
    """Those that this app has: which there are depends on the configuration."""
    for route in app.router.routes:
        if not isinstance(route, Route) or route.path not in OPERATIONS:
            continue
        told = OPERATIONS[route.path]
        methods = {method.lower() for method in route.methods or ()}
        document["paths"].setdefault(route.path, {}).update({key: told[key] for key in told if key in methods})
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _OF_FASTAPI:
        schemas.pop(name, None)
    schemas.update(SCHEMAS)
    schemas["ErrorShape"] = ErrorShape.model_json_schema()
    components["securitySchemes"] = {"token": _TOKEN, "password": _PASSWORD}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
