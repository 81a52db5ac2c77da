"""Requests made up by schemathesis from the OpenAPI document: good ones, and ones with something wrong in them."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import requests
import schemathesis
import schemathesis.specs.openapi.checks as conformance
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from tests.incident.hardened.in_process import HOST, InProcess

WHO = ["admin", "admin", "admin", "commander", "responder", "viewer", "source", "nobody"]  # an admin gets furthest
CHECKS: list[Any] = [
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_headers_conformance,
    conformance.response_schema_conformance,
]
ALL_HEALTH_CHECKS = list(HealthCheck)


def every_route(app: InProcess, document: dict[str, Any], examples: int) -> list[str]:
    """What was wrong with answers: at most one line for each kind. `examples`: of either sort, for each operation."""
    found: dict[str, str] = {}
    for operation in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(operation, Ok)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            for trouble in _one(app, operation.ok(), mode, examples):
                found.setdefault(trouble[:80], trouble)
    return list(found.values())


def _one(app: InProcess, operation: Any, mode: GenerationMode, examples: int) -> Iterator[str]:
    troubles: list[str] = []

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=ALL_HEALTH_CHECKS,
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(mode), who=st.sampled_from(WHO))
    def tried(case: Case[Any], who: str) -> None:
        response = _sent(app, case, who)
        if response is not None and (trouble := _trouble(case, response)):
            troubles.append(f"{operation.label} as {who}: {trouble}")

    try:
        tried()
    except Unsatisfiable:  # nothing can be wrong with a request that takes nothing
        assert mode is GenerationMode.NEGATIVE
    yield from troubles


def _sent(app: InProcess, case: Case[Any], who: str) -> httpx.Response | None:
    """None for what no client could send."""
    _meet(case)
    headers = {"Authorization": f"Bearer {app.tokens[who]}"} if who != "nobody" else {}
    keys = case.as_transport_kwargs(base_url=HOST, headers=headers)
    names = ("method", "url", "headers", "params", "data", "json", "files")
    try:
        made = requests.Request(**{name: keys[name] for name in names if name in keys}).prepare()
        given = [(name.encode("latin-1"), _bytes(value)) for name, value in made.headers.items()]
    except (ValueError, requests.RequestException):
        return None
    client = "203.0.113.9" if who == "nobody" else "127.0.0.1"
    return app.request(str(made.method), str(made.url), client=client, headers=given, content=made.body)


def _meet(case: Case[Any]) -> None:
    """Made-up numbers are seldom those of incidents that there are; three of four become one of them."""
    number = (case.path_parameters or {}).get("number")
    if isinstance(number, int) and number % 4:
        case.path_parameters = {**case.path_parameters, "number": 1 + number % 2}


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


def _trouble(case: Case[Any], response: httpx.Response) -> str | None:
    if response.status_code == 500:
        return f"500 {response.text[:200]} for {response.request.url} {response.request.content[:300]!r}"
    try:
        case.validate_response(response, checks=CHECKS)
    except BaseExceptionGroup as group:
        return f"{response.status_code} {group.exceptions[0]} for {response.request.url} {response.text[:200]}"
    return None


def filled(path: str, value: str = "1") -> str:
    """A path with every parameter set."""
    parts = [quote(value, safe="") if part.startswith("{") else part for part in path.split("/")]
    return "/".join(parts)
