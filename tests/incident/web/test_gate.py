import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from incident.core.actor import Actor, Kind, Role
from incident.desk import Desk
from incident.store import tokens as store
from incident.web.app import create_app
from incident.web.gate import Access, bearer, rule_for
from tests.incident.conftest import Clock
from tests.incident.web.conftest import Connect

pytestmark = pytest.mark.anyio

OPEN = {"title": "Cards are declined"}


@pytest.mark.parametrize("path", ["/", "/zh/", "/api/v2/summary.json", "/-/healthy", "/-/ready"])
async def test_the_status_page_and_health_are_for_everybody(connect: Connect, path: str) -> None:
    for client in (connect(), connect(client="203.0.113.9"), connect(headers={"Host": "anything.example"})):
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/metrics", "/api/openapi.json", "/api/v1/incidents", "/api/v1/incidents/1", "/api/v1/incidents/1/timeline",
     "/api/v1/journeys", "/api/v1/deliveries", "/api/v1/drills", "/api/v1/tokens", "/no/such/path", "/api/v2",
     "/console"],
)  # fmt: skip
async def test_everything_else_needs_a_token_even_on_this_machine(connect: Connect, path: str) -> None:
    response = await connect().get(path)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_that_is_not_known_is_refused_also_where_none_is_needed(connect: Connect) -> None:
    for path in ("/api/v1/incidents", "/api/v2/alerts"):
        assert (await connect("sw_nonsense").get(path)).status_code == 401


async def test_alert_routes_are_open_to_this_machine_and_to_nobody_else(connect: Connect) -> None:
    assert (await connect().get("/api/v2/alerts")).status_code == 200
    assert (await connect(client="203.0.113.9").get("/api/v2/alerts")).status_code == 401
    assert (await connect(headers={"X-Forwarded-For": "127.0.0.1"}).get("/api/v2/alerts")).status_code == 401
    assert (await connect(headers={"Host": "rebound.example"}).get("/api/v2/alerts")).status_code == 401


async def test_once_a_source_has_a_token_everybody_is_asked_for_one(connect: Connect, tokens: dict[str, str]) -> None:
    made = await connect(tokens["admin"]).post("/api/v1/tokens", json={"name": "prometheus", "role": "source"})
    secret = made.json()["token"]
    assert (await connect().get("/api/v2/alerts")).status_code == 401
    assert (await connect().post("/api/v2/alerts", json=[])).status_code == 401
    assert (await connect(secret).post("/api/v2/alerts", json=[])).status_code == 200
    await connect(tokens["admin"]).delete("/api/v1/tokens/prometheus")
    assert (await connect(secret).post("/api/v2/alerts", json=[])).status_code == 401
    assert (await connect().post("/api/v2/alerts", json=[])).status_code == 200


async def test_a_persons_token_does_not_close_the_alert_routes_to_this_machine(
    connect: Connect, tokens: dict[str, str]
) -> None:
    await connect(tokens["admin"]).post("/api/v1/tokens", json={"name": "lead", "role": "commander"})
    assert (await connect().get("/api/v2/alerts")).status_code == 200


async def test_the_first_source_that_another_process_lets_in_closes_the_alert_routes_here_too(
    connect: Connect, desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await connect().get("/api/v2/alerts")).status_code == 200
    source = Actor("prometheus", Role.VIEWER, Kind.SOURCE)
    await desk.database.write(lambda connection: store.add(connection, source, "secret", clock()))
    seconds = time.monotonic() + 1.1
    monkeypatch.setattr("incident.tokens.time.monotonic", lambda: seconds)
    assert (await connect().get("/api/v2/alerts")).status_code == 401
    assert (await connect("secret").get("/api/v2/alerts")).status_code == 200


async def test_while_nobody_can_say_whose_token_it_is_everybody_is_told_to_come_again(
    connect: Connect, desk: Desk
) -> None:
    clients = (connect(), connect("unknown"))
    await desk.close()
    assert [(await client.post("/api/v2/alerts", json=[])).status_code for client in clients] == [503, 503]


async def test_a_source_may_give_its_token_as_the_password_of_basic(connect: Connect, tokens: dict[str, str]) -> None:
    response = await connect(client="203.0.113.9").get("/api/v2/alerts", auth=("prometheus", tokens["source"]))
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403), ({"Host": "evil.example"}, 403),
     ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Content-Type": "text/plain"}, 415),
     ({"Content-Type": "application/x-www-form-urlencoded"}, 415)],
)  # fmt: skip
async def test_no_web_page_can_change_anything_whatever_token_it_has(
    connect: Connect, tokens: dict[str, str], desk: Desk, headers: dict[str, str], status: int
) -> None:
    for path in ("/api/v1/incidents", "/api/v2/alerts"):
        response = await connect(tokens["admin"]).post(path, json=OPEN, headers=headers)
        assert response.status_code == status
    assert await desk.incidents() == []


async def test_refusals_have_the_shape_of_their_api(connect: Connect) -> None:
    ours = await connect(client="203.0.113.9").get("/api/v1/incidents")
    theirs = await connect(client="203.0.113.9").get("/api/v2/alerts")
    assert list(ours.json()) == ["error"]
    assert theirs.json()["code"] == 401 and isinstance(theirs.json()["message"], str)


async def test_a_body_that_says_it_is_too_large_is_not_read(connect: Connect) -> None:
    response = await connect().post(
        "/api/v2/alerts", content=b"[" + b" " * (5 << 20) + b"]", headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 413


async def test_a_body_without_a_length_is_cut_off_at_the_cap(connect: Connect) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1 << 16
            yield b" " * (1 << 16)

    response = await connect().post("/api/v2/alerts", content=endless(), headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert sent <= (4 << 20) + (2 << 16)


async def test_a_body_that_drips_is_given_up(desk: Desk) -> None:
    gate = await create_app(desk, desk.settings)
    gate.body_seconds = 0.05
    answers: list[Message] = []

    async def dripping() -> Message:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def keep(message: Message) -> None:
        answers.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")]
    scope = {
        "type": "http", "method": "POST", "path": "/api/v2/alerts", "raw_path": b"/api/v2/alerts", "query_string": b"",
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8470), "scheme": "http",
    }  # fmt: skip
    await gate(scope, dripping, keep)
    assert answers[0]["status"] == 408


@pytest.mark.parametrize(
    ("path", "access"),
    [("/", Access.PUBLIC), ("/api/v2/alerts", Access.INTAKE), ("/api/v2/alertsx", Access.TOKEN),
     ("/api/v2/silence/1", Access.INTAKE), ("/slack/commands", Access.SIGNED), ("/slackers", Access.TOKEN),
     ("/hooks/generic", Access.INTAKE), ("//", Access.TOKEN)],
)  # fmt: skip
async def test_the_rule_of_a_path_is_that_of_its_whole_segments(path: str, access: Access) -> None:
    assert rule_for(path).access is access


@pytest.mark.parametrize(
    ("header", "secret"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic dXNlcjpwYTpzcw==", "pa:ss"),
        ("Basic !", ""),
        ("Digest x", None),
        ("", None),
    ],
)
async def test_a_secret_is_found_in_either_form(header: str, secret: str | None) -> None:
    assert bearer(header) == secret
