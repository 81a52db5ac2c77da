"""Slack's requests, forged and genuine, against the app itself."""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from incident.desk import Desk
from incident.settings import Settings
from incident.web.app import create_app
from tests.incident.conftest import SHOP, Clock, firing

pytestmark = pytest.mark.anyio
SECRET = "signing-secret-of-the-test"
SLACK = {"mode": "http", "bot_token": "xoxb-1", "signing_secret": SECRET, "api_url": "http://127.0.0.1:9/api/"}
PEOPLE = {"lead": {"name": "Lead", "role": "responder", "slack": "U024BE7LH"}, "boss": {"name": "B", "slack": "U0B0SS"}}


@pytest.fixture
async def desk(tmp_path: Path, clock: Clock) -> AsyncIterator[Desk]:
    people = {**PEOPLE, "guest": {"name": "Guest", "role": "viewer", "slack": "U0GUEST"}}
    settings = Settings.model_validate({**SHOP, "slack": SLACK, "people": people})
    made = Desk(f"sqlite:///{tmp_path / 'd.db'}", settings, clock)
    await made.start()
    await made.intake([firing("payment")], "test")
    await made.cycle(clock())
    yield made
    await made.close()


@pytest.fixture
async def slack(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    app = await create_app(desk, desk.settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8470") as client:
        yield client


def signed(body: bytes, at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={digest}",
        "Content-Type": "application/x-www-form-urlencoded",
    }


def command(text: str, user: str = "U024BE7LH") -> bytes:
    return urlencode({"command": "/incident", "text": text, "user_id": user, "user_name": "boss"}).encode()


async def test_a_genuine_command_acts_as_the_mapped_person(slack: httpx.AsyncClient, desk: Desk) -> None:
    body = command("ack 1")
    answer = await slack.post("/slack/commands", content=body, headers=signed(body))
    assert (answer.status_code, answer.text) == (200, "")
    incident = await desk.incident(1)
    assert incident.acknowledged_by == "lead"
    event = (await desk.timeline(1))[-1]
    assert (event.kind, event.actor, event.data["via"]) == ("acknowledged", "lead", "slack")


@pytest.mark.parametrize("user", ["U0GUEST", "U0NOBODY", "", "lead"])
async def test_who_may_not_or_is_not_known_changes_nothing(slack: httpx.AsyncClient, desk: Desk, user: str) -> None:
    body = command("ack 1", user)
    assert (await slack.post("/slack/commands", content=body, headers=signed(body))).status_code == 200
    assert (await desk.incident(1)).acknowledged_at is None


def _forged() -> list[tuple[str, bytes, dict[str, str]]]:
    body = command("ack 1")
    good = signed(body)
    return [
        ("no signature", body, {k: v for k, v in good.items() if k != "X-Slack-Signature"}),
        ("another secret", body, signed(body, secret="other")),
        ("another body", command("resolve 1"), good),
        ("too old", body, signed(body, time.time() - 301)),
        ("from the future", body, signed(body, time.time() + 3000)),
        ("a timestamp that is no number", body, good | {"X-Slack-Request-Timestamp": "soon"}),
        ("a negative timestamp", body, good | {"X-Slack-Request-Timestamp": "-1"}),
        ("an endless timestamp", body, good | {"X-Slack-Request-Timestamp": "9" * 5000}),
        ("a body that is not UTF-8", b"text=\xff\xfe", signed(b"text=\xff\xfe")),
    ]


@pytest.mark.parametrize(("body", "headers"), [f[1:] for f in _forged()], ids=[f[0] for f in _forged()])
async def test_what_slack_did_not_sign_just_now_is_a_401(
    slack: httpx.AsyncClient, desk: Desk, body: bytes, headers: dict[str, str]
) -> None:
    answer = await slack.post("/slack/commands", content=body, headers=headers)
    assert answer.status_code == 401
    assert (await desk.incident(1)).acknowledged_at is None


async def test_a_signature_that_is_not_ascii_is_a_401(slack: httpx.AsyncClient) -> None:
    body = command("ack 1")
    headers = [
        (k.encode(), "v0=é".encode("latin-1") if "Signature" in k else v.encode()) for k, v in signed(body).items()
    ]
    assert (await slack.post("/slack/commands", content=body, headers=headers)).status_code == 401


async def test_a_huge_body_is_refused(slack: httpx.AsyncClient) -> None:
    body = b"text=" + b"x" * (2 << 20)
    assert (await slack.post("/slack/commands", content=body, headers=signed(body))).status_code == 413


PAYLOADS: list[Any] = [
    "not json",
    "[" * 50_000,
    [],
    {"type": "block_actions"},
    {"type": "block_actions", "user": "U024BE7LH", "actions": {}},
    {"type": "block_actions", "user": {"id": "U024BE7LH"}, "actions": [None]},
    {
        "type": "block_actions",
        "user": {"id": "U024BE7LH"},
        "actions": [{"action_id": "incident.ack", "value": "1; --"}],
    },
    {"type": "block_actions", "user": {"id": "U024BE7LH"}, "actions": [{"action_id": "incident.ack", "value": 1}]},
    {"type": "block_actions", "user": {"id": "U024BE7LH"}, "actions": [{"action_id": "incident.burn", "value": "1"}]},
    {"type": "block_actions", "user": {"id": "U024BE7LH"}, "actions": [{"action_id": ["incident.ack"], "value": "1"}]},
    {"type": "view_submission", "user": {"id": "U024BE7LH"}},
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=[str(p)[:50] for p in PAYLOADS])
async def test_a_payload_that_makes_no_sense_is_taken_and_does_nothing(
    slack: httpx.AsyncClient, desk: Desk, payload: Any
) -> None:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    body = urlencode({"payload": text}).encode()
    assert (await slack.post("/slack/interactions", content=body, headers=signed(body))).status_code == 200
    assert (await desk.incident(1)).acknowledged_at is None


@pytest.mark.parametrize("who", ["boss", "Boss", "@boss", "<@U0B0SS>", "<@U0B0SS|the.boss>", "U0B0SS"])
async def test_a_role_is_given_to_a_person_by_name_or_by_mention(
    slack: httpx.AsyncClient, desk: Desk, who: str
) -> None:
    body = command(f"assign 1 commander {who}")
    await slack.post("/slack/commands", content=body, headers=signed(body))
    assert (await desk.incident(1)).roles == {"commander": "boss"}


@pytest.mark.parametrize("who", ["bos", "<@U0OTHER>", "nobody"])
async def test_nobody_is_put_in_charge_whom_nobody_knows(slack: httpx.AsyncClient, desk: Desk, who: str) -> None:
    body = command(f"assign 1 commander {who}")
    await slack.post("/slack/commands", content=body, headers=signed(body))
    assert (await desk.incident(1)).roles == {}


async def test_a_pressed_button_acts(slack: httpx.AsyncClient, desk: Desk) -> None:
    pressed = {
        "type": "block_actions",
        "user": {"id": "U024BE7LH"},
        "actions": [{"action_id": "incident.resolve", "value": "1"}],
    }
    body = urlencode({"payload": json.dumps(pressed)}).encode()
    await slack.post("/slack/interactions", content=body, headers=signed(body))
    assert (await desk.incident(1)).resolved_by == "lead"


async def test_a_request_that_is_played_back_does_nothing_again(slack: httpx.AsyncClient, desk: Desk) -> None:
    body = command("note 1 once")
    headers = signed(body)
    for _ in range(3):
        assert (await slack.post("/slack/commands", content=body, headers=headers)).status_code == 200
    assert [event.text for event in await desk.timeline(1)].count("once") == 1


async def test_an_answer_goes_to_slack_only(slack: httpx.AsyncClient, desk: Desk, tmp_path: Path) -> None:
    from tests.incident.receiver import receiving

    with receiving() as other:
        body = urlencode({"text": "list", "user_id": "U024BE7LH", "response_url": other.url}).encode()
        assert (await slack.post("/slack/commands", content=body, headers=signed(body))).status_code == 200
        assert other.received == []
