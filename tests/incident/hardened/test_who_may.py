"""Every route, asked by everybody: those who may are let in, holders of other tokens get 403, and strangers 401."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.routing import Route

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
    "cause": {"text": "x"}, "resolve": {}, "reopen": {}, "silence": {"for": 60},
}  # fmt: skip
SILENCE = {
    "matchers": [{"name": "a", "value": "b", "isRegex": False}], "startsAt": LATER, "endsAt": "2099-01-01T00:00:00Z",
    "createdBy": "x", "comment": "x",
}  # fmt: skip
HOOKS = ("alertmanager", "grafana", "generic")
EVENTS: dict[str, dict[str, Any]] = {  # PagerDuty's, which take their key in the body too
    "/v2/enqueue": {"routing_key": "x", "event_action": "resolve", "dedup_key": "x"},
    "/v2/change/enqueue": {"routing_key": "x", "payload": {"summary": "x"}},
    "/generic/2010-04-15/create_event.json": {"service_key": "x", "event_type": "resolve", "incident_key": "x"},
}
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
    **{f"{method} /hooks/{name}": (SENDERS, {"alerts": []}) for name in HOOKS for method in ("POST", "PUT")},
    **{f"POST {path}": (SENDERS, body) for path, body in EVENTS.items()},
    "POST /-/reload": ("admin", None),
    "PUT /-/reload": ("admin", None),
}
PUBLIC = (
    "/", "/zh", "/zh/", "/logo", "/favicon.ico", "/incidents/{number}", "/-/healthy", "/-/ready",
    "/api/v2/summary.json", "/api/v2/scheduled-maintenances.json",
)  # fmt: skip
FOR_ALL_TOKENS = (
    "/api/v1/journeys", "/api/v1/journeys/{name}", "/api/v1/journeys/{name}/runs", "/api/v1/journeys/{name}/history",
    "/api/v1/locations", "/metrics", "/probe", "/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/silences",
    "/api/v2/silence/{silence}", "/api/v2/status", "/api/v2/receivers", "/api/openapi.json",
)  # fmt: skip
FOR_PEOPLE = (
    "/api/v1/incidents", "/api/v1/incidents/{number}", "/api/v1/incidents/{number}/timeline",
    "/api/v1/incidents/{number}/attachments/{key}", "/api/v1/incidents/{number}/review",
    "/api/v1/incidents/{number}/review.html", "/api/v1/incidents/{number}/review.svg", "/api/v1/reviews",
    "/api/v1/changes", "/api/v1/deliveries", "/api/v1/drills", "/api/v1/maintenance",
    "/api/v1/muting/silences/{silence}",
)  # fmt: skip
READING: dict[str, str] = {
    **dict.fromkeys(PUBLIC, ALL),
    **dict.fromkeys(FOR_ALL_TOKENS, TOKENS),
    **dict.fromkeys(FOR_PEOPLE, PEOPLE),
    "/api/v1/tokens": "admin",
}
OLD = [f"/api/v1/{name}" for name in ("status", "receivers", "alerts", "alerts/groups", "silences", "silence/{id}")]
GONE = [f"{method} {path}" for path in OLD for method in ("GET", "POST", "DELETE")]  # 410 for whoever gets that far
SIGNED = ("POST /slack/commands", "POST /slack/interactions")  # by Slack: no token opens them
SILENCE_ID = "0b6f3f9e-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    slack = {"bot_token": "xoxb-1", "signing_secret": "s3cret"}
    settings = Settings.model_validate({**SHOP, **MORE, "slack": slack})
    with in_process(tmp_path_factory.mktemp("asked"), settings) as made:
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


def every_route(app: InProcess) -> set[str]:
    """As `METHOD path`: those of the document, and plain ones, which are in it or not."""
    headers = {"Authorization": f"Bearer {app.tokens['admin']}"}
    document = app.request("GET", "/api/openapi.json", headers=headers).json()
    told = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    routes = [route for route in app.app.app.router.routes if isinstance(route, Route)]  # type: ignore[attr-defined]
    plain = {f"{method} {route.path}" for route in routes for method in (route.methods or set()) - {"HEAD"}}
    return told | plain


def test_every_route_is_asked_about_here(app: InProcess) -> None:
    assert every_route(app) == {*CHANGING, *GONE, *SIGNED, *(f"GET {path}" for path in READING)}


@pytest.mark.parametrize("route", CHANGING)
def test_only_who_may_changes_something(app: InProcess, route: str) -> None:
    who, body = CHANGING[route]
    method, path = route.split()
    assert let_in(app, method, path, body) == (who, [])


def test_only_who_may_reads(app: InProcess) -> None:
    assert {path: let_in(app, "GET", path) for path in READING} == {path: (who, []) for path, who in READING.items()}


def test_what_is_gone_says_so_to_all_who_may_ask(app: InProcess) -> None:
    for route in GONE:
        assert let_in(app, *route.split()) == (TOKENS, []), route


def test_no_token_stands_in_for_slacks_signature(app: InProcess) -> None:
    for route in SIGNED:
        assert {asked(app, who, *route.split()) for who in ALL.split()} == {401}, route


@pytest.mark.parametrize("path", EVENTS)
def test_a_key_in_the_body_opens_no_more_than_the_same_token_in_the_header(app: InProcess, path: str) -> None:
    key = "service_key" if "service_key" in EVENTS[path] else "routing_key"
    bodies = {who: {**EVENTS[path], key: app.tokens.get(who, "x")} for who in ALL.split()}
    answers = {who: asked(app, "nobody", "POST", path, body) for who, body in bodies.items()}
    assert " ".join(who for who, status in answers.items() if status not in (401, 403)) == SENDERS
    assert (answers["nobody"], answers["viewer"]) == (401, 403)


def test_a_source_that_signs_has_no_use_for_its_token_alone(tmp_path: Any) -> None:
    intake = {"sources": [{"name": "shop-ci", "token": "t" * 40, "hmac": {"key": "k" * 40, "header": "X-Signature"}}]}
    with in_process(tmp_path, Settings.model_validate({**SHOP, "intake": intake})) as app:
        app.tokens["signing"] = "t" * 40
        for route, who in READING.items():
            if who != ALL:
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
