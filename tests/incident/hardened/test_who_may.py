"""Every route, asked by everybody: those who may are let in, holders of other tokens get 403, and strangers 401."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incident.core.actor import Actor, Kind, Role
from incident.settings import Settings
from tests.incident.conftest import SHOP
from tests.incident.hardened.fuzzing import filled
from tests.incident.hardened.in_process import InProcess, in_process
from tests.incident.web.conftest import MORE

ALL = "nobody source viewer responder commander admin"
TOKENS = ALL.removeprefix("nobody ")
PEOPLE = TOKENS.removeprefix("source ")
SENDERS = TOKENS.replace("viewer ", "")
RESPONDERS = PEOPLE.removeprefix("viewer ")
REPORTERS = "source admin"
LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
ACTIONS: dict[str, Any] = {
    "ack": {}, "note": {"text": "x"}, "update": {"text": "x"}, "assign": {"role": "scribe", "who": "x"},
    "sev": {"severity": "SEV2"}, "runbook": {"name": "x"}, "merge": {"into": 2}, "unmerge": {},
    "duplicate": {"of": 2}, "link": {"other": 2}, "unlink": {"other": 2}, "task": {"text": "x"},
    "review": {"text": "x"}, "task_change": {"task": "1", "text": "y"}, "task_done": {"task": "1"},
    "cause": {"text": "x"}, "resolve": {}, "reopen": {},
}  # fmt: skip
SILENCE = {
    "matchers": [{"name": "a", "value": "b", "isRegex": False}], "startsAt": LATER, "endsAt": "2099-01-01T00:00:00Z",
    "createdBy": "x", "comment": "x",
}  # fmt: skip
# What every role may; a route is `METHOD path`, and what is sent stands behind it.
CHANGING: dict[str, tuple[str, Any]] = {
    "POST /api/v1/incidents": (RESPONDERS, {"title": "x"}),
    **{f"POST /api/v1/incidents/{{number}}/{name}": (RESPONDERS, body) for name, body in ACTIONS.items()},
    "POST /api/v1/incidents/{number}/redact": ("admin", {"seq": 1}),
    "POST /api/v1/incidents/{number}/attachments": (RESPONDERS, {"name": "x", "content": "YQ=="}),
    "PUT /api/v1/incidents/{number}/review": (RESPONDERS, {"text": "x"}),
    "POST /api/v1/incidents/{number}/review/draft": (PEOPLE, None),
    "POST /api/v1/results": (REPORTERS, []),
    "POST /api/v1/heartbeat": (REPORTERS, {}),
    "DELETE /api/v1/locations/{name}": (RESPONDERS, None),
    "POST /api/v1/drills": (RESPONDERS, {"name": "x", "target": "x", "until": LATER}),
    "PATCH /api/v1/drills/{number}": (RESPONDERS, {"scorecard": {}}),
    "POST /api/v1/tokens": ("admin", {"name": "x", "role": "viewer"}),
    "DELETE /api/v1/tokens/{name}": ("admin", None),
    "POST /api/v2/alerts": (SENDERS, []),
    "POST /api/v2/silences": (SENDERS, SILENCE),
    "DELETE /api/v2/silence/{silence}": (SENDERS, None),
    "POST /hooks/alertmanager": (SENDERS, {"alerts": []}),
    "PUT /hooks/alertmanager": (SENDERS, {"alerts": []}),
    "POST /hooks/grafana": (SENDERS, {"alerts": []}),
    "PUT /hooks/grafana": (SENDERS, {"alerts": []}),
    "POST /-/reload": ("admin", None),
    "PUT /-/reload": ("admin", None),
}
READING: dict[str, str] = {
    **dict.fromkeys(
        ["/", "/zh", "/zh/", "/logo", "/favicon.ico", "/incidents/{number}", "/-/healthy", "/-/ready",
         "/api/v2/summary.json", "/api/v2/scheduled-maintenances.json"],
        ALL,
    ),
    **dict.fromkeys(
        ["/api/v1/journeys", "/api/v1/journeys/{name}", "/api/v1/journeys/{name}/runs", "/api/v1/locations",
         "/api/v1/journeys/{name}/history", "/metrics", "/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/silences",
         "/api/v2/silence/{silence}", "/api/v2/status", "/api/v2/receivers", "/probe"],
        TOKENS,
    ),
    "/api/v1/tokens": "admin",
}  # fmt: skip  # whatever is not here is for people of any role
ELSEWHERE = {
    "/v2/enqueue",
    "/v2/change/enqueue",
    "/generic/2010-04-15/create_event.json",
    "/hooks/generic",
}  # test_hooks
SILENCE_ID = "0b6f3f9e-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("asked"), Settings.model_validate({**SHOP, **MORE})) as made:
        for _ in range(2):
            assert asked(made, "admin", "POST", "/api/v1/incidents", {"title": "x"}) == 201
        yield made


def asked(app: InProcess, who: str, method: str, path: str, body: Any = None) -> int:
    headers = {"Authorization": f"Bearer {app.tokens[who]}"} if who != "nobody" else {}
    client = "203.0.113.9" if who == "nobody" else "127.0.0.1"
    url = filled(path, SILENCE_ID if "{silence}" in path else "1")
    sent = {} if body is None else {"json": body}
    return app.request(method, url, client=client, headers=headers, **sent).status_code


def let_in(app: InProcess, method: str, path: str, body: Any = None) -> tuple[str, list[str]]:
    """Who got further than the door, and everything that is odd about the answers to the others."""
    answers = {who: asked(app, who, method, path, body) for who in ALL.split()}
    welcome = [who for who, status in answers.items() if status not in (401, 403)]
    odd = [f"{who}: {answers[who]}" for who in welcome if answers[who] in (415, 422, 500)]
    odd += [f"{who}: {s}" for who, s in answers.items() if s in (401, 403) and (s == 401) != (who == "nobody")]
    return " ".join(welcome), odd


@pytest.mark.parametrize("route", CHANGING)
def test_only_who_may_changes_something(app: InProcess, route: str) -> None:
    who, body = CHANGING[route]
    method, path = route.split()
    assert let_in(app, method, path, body) == (who, [])


def test_only_who_may_reads_and_every_route_is_asked_about(app: InProcess) -> None:
    headers = {"Authorization": f"Bearer {app.tokens['admin']}"}
    document = app.request("GET", "/api/openapi.json", headers=headers).json()
    wrong = []
    for path, operations in document["paths"].items():
        gone = "410" in next(iter(operations.values()))["responses"]
        for method in operations:
            if method == "get" and not gone:
                found, odd = let_in(app, "GET", path)
                if found != READING.get(path, PEOPLE) or odd:
                    wrong.append(f"GET {path}: {found} {odd}")
            elif not gone and f"{method.upper()} {path}" not in CHANGING and path not in ELSEWHERE:
                wrong.append(f"{method.upper()} {path}: nobody is asked about it here")
    assert wrong == []


def test_a_source_that_signs_has_no_use_for_its_token_alone(tmp_path: Any) -> None:
    intake = {"sources": [{"name": "shop-ci", "token": "t" * 40, "hmac": {"key": "k" * 40, "header": "X-Signature"}}]}
    with in_process(tmp_path, Settings.model_validate({**SHOP, "intake": intake})) as app:
        app.tokens["signing"] = "t" * 40
        for route in (*READING, "/api/v1/incidents"):
            if READING.get(route) != ALL:
                assert asked(app, "signing", "GET", route) == 403, route
        for route, (_, body) in CHANGING.items():
            method, path = route.split()
            status = asked(app, "signing", method, path, body)
            assert status == (401 if "/hooks" in route else 403), route


def test_a_token_that_was_revoked_opens_nothing_any_more(app: InProcess) -> None:
    for role, kind in ((Role.ADMIN, Kind.PERSON), (Role.VIEWER, Kind.SOURCE)):
        secret = app.do(app.desk.tokens_kept.create(Actor("gone", role, kind)))
        app.tokens["gone"] = secret
        assert asked(app, "gone", "GET", "/api/v1/journeys") == 200
        assert asked(app, "admin", "DELETE", "/api/v1/tokens/gone") in (200, 404)
        app.do(app.desk.tokens_kept.revoke("gone")) if asked(app, "gone", "GET", "/metrics") == 200 else None
        assert {asked(app, "gone", "GET", path) for path in ("/api/v1/journeys", "/metrics", "/api/v2/alerts")} == {401}


def test_no_secret_of_a_token_is_kept(app: InProcess, tmp_path: Any) -> None:
    secret = app.do(app.desk.tokens_kept.create(Actor("kept", Role.VIEWER)))
    assert secret not in str(app.do(app.desk.tokens_kept.listed()))
    held = [path.read_bytes() for path in tmp_path.parent.rglob("shopwatch.db*")]
    assert held and not any(secret.encode() in content for content in held)
