"""Every endpoint, fuzzed: nothing breaks, and every answer is one that the OpenAPI document tells of."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.routing import Route

from incident.settings import Settings
from tests.incident.conftest import SHOP
from tests.incident.hardened.fuzzing import every_route, filled
from tests.incident.hardened.in_process import InProcess, in_process
from tests.incident.web.conftest import MORE

HOLE = b'{"a":' * 100_000
NOISE = [
    b"",
    b"\x00",
    b"\xff\xfe[\x00]\x00",
    b"nul",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'"text"',
    b"[null]",
    b"[[]]",
    b"[{}]",
    b"1e999",
    b"NaN",
    b"[NaN, Infinity, -Infinity]",
    b"9" * 5000,
    b"[" * 100_000,
    HOLE,
    b'{"a": "\\ud800"}',
    b'{"": {"": [{"": null}]}}',
    b'{"text": "\\u0000", "title": "\\u0000", "name": "\\u0000", "comment": "\\u0000"}',
    b'[{"labels": {"\\ud800": "x"}}, {"labels": {"a": "\\u0000"}}]',
    b'[{"labels": {"a": 1}, "startsAt": {}, "journey": NaN}]',
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("fuzzed"), Settings.model_validate({**SHOP, **MORE})) as made:
        admin = {"Authorization": f"Bearer {made.tokens['admin']}"}
        for service in ("login", "payment"):
            given = {"title": f"{service} is down", "service": service}
            assert made.request("POST", "/api/v1/incidents", headers=admin, json=given).status_code == 201
        yield made


@pytest.fixture(scope="module")
def document(app: InProcess) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {app.tokens['viewer']}"}
    found: dict[str, Any] = app.request("GET", "/api/openapi.json", headers=headers).json()
    return found


def test_every_route_is_in_the_document(app: InProcess, document: dict[str, Any]) -> None:
    routes = [route for route in app.app.app.router.routes if isinstance(route, Route)]  # type: ignore[attr-defined]
    missing = [
        f"{method} {route.path}"
        for route in routes
        for method in sorted((route.methods or set()) - {"HEAD"})
        if method.lower() not in document["paths"].get(route.path, {})
    ]
    assert missing == ["GET /api/openapi.json"]


@pytest.mark.long
def test_every_answer_to_made_up_requests_is_documented(app: InProcess, document: dict[str, Any]) -> None:
    assert every_route(app, document, examples=5) == []


@pytest.mark.long
@pytest.mark.soak
def test_every_answer_to_many_made_up_requests_is_documented(app: InProcess, document: dict[str, Any]) -> None:
    assert every_route(app, document, examples=150) == []


def test_bodies_that_make_no_sense_break_nothing(app: InProcess, document: dict[str, Any]) -> None:
    admin = {"Authorization": f"Bearer {app.tokens['admin']}", "Content-Type": "application/json"}
    broken = []
    for path, operations in document["paths"].items():
        for method in operations.keys() & {"post", "put", "patch"}:
            for body in NOISE:
                response = app.request(method.upper(), filled(path), headers=admin, content=body)
                if response.status_code >= 500:
                    broken.append(f"{method} {path} {body[:60]!r}: {response.status_code} {response.text[:100]}")
    assert broken == []


@pytest.mark.parametrize("number", ["-1", str(2**31), str(-(2**31) - 1), str(2**63), "9" * 300, "1e5", "0x1", "１"])
def test_a_number_that_no_database_holds_is_no_incident(app: InProcess, number: str) -> None:
    admin = {"Authorization": f"Bearer {app.tokens['admin']}"}
    for method, rest in (("GET", ""), ("GET", "/timeline"), ("POST", "/ack"), ("POST", "/reopen")):
        response = app.request(method, f"/api/v1/incidents/{number}{rest}", headers=admin)
        assert response.status_code in (400, 404), response.text


def test_what_was_taken_in_can_be_read_again(app: InProcess, document: dict[str, Any]) -> None:
    """Nothing that the noise of the other tests left behind stops an honest reader."""
    admin = {"Authorization": f"Bearer {app.tokens['admin']}"}
    for path, operations in document["paths"].items():
        if "get" in operations and "{" not in path and path != "/probe":
            response = app.request("GET", path + ("?all=true" if path.endswith("/incidents") else ""), headers=admin)
            assert response.status_code < 400 or response.status_code in (404, 410), (path, response.text)
            if response.headers.get("content-type") == "application/json":
                json.loads(response.content, parse_constant=pytest.fail)


WRONG_RESULTS: dict[str, dict[str, Any]] = {
    "a time after the last": {"started_at": "9999-12-31T23:59:59-23:59"},
    "a time that is none": {"started_at": {}},
    "no number": {"duration_s": 10**400},
    "steps that are text": {"steps": "open"},
    "steps that are no objects": {"steps": [1]},
    "steps without end": {"steps": [{}] * 5000},
    "a journey that no database stores": {"journey": "\x00"},
    "a service that clears the screen": {"service": "\x1b[2J"},
    "a location that turns text around": {"location": "\u202eberlin"},
}
RESULT = {
    "journey": "checkout", "run_id": "r1", "service": "checkout", "outcome": "up", "duration_s": 0.5,
    "started_at": "2026-03-01T09:00:00+00:00", "location": "local", "steps": [], "cleanup": [],
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_RESULTS)
def test_a_result_that_cannot_be_kept_is_refused(app: InProcess, wrong: str) -> None:
    source = {"Authorization": f"Bearer {app.tokens['source']}"}
    result = RESULT | WRONG_RESULTS[wrong]
    assert app.request("POST", "/api/v1/results", headers=source, json=[result]).status_code == 400


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", '"\\ud800"', "[" * 65 + "]" * 65])
def test_what_could_not_be_written_down_again_is_not_taken(app: InProcess, text: str) -> None:
    admin = {"Authorization": f"Bearer {app.tokens['admin']}", "Content-Type": "application/json"}
    body = f'[{json.dumps(RESULT)[:-1]}, "more": {text}}}]'
    assert app.request("POST", "/api/v1/results", headers=admin, content=body).status_code == 400
    body = f'{{"scorecard": {{"text": {text}}}}}'
    assert app.request("PATCH", "/api/v1/drills/1", headers=admin, content=body).status_code == 400
    assert app.request("GET", "/api/v1/journeys", headers=admin).status_code == 200
