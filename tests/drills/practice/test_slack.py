"""The practice Slack with the real SDK: what it takes, what it refuses, how it fails when told to."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from drills.practice.launch import Practice
from drills.practice.slack.app import BOT_TOKEN, SIGNING_SECRET
from drills.practice.slack.driver import Driver, DriverFailed

pytestmark = pytest.mark.anyio

INCIDENTS = "C0INCIDENTS"
BUTTON = {"type": "button", "action_id": "ack", "value": "3", "text": {"type": "plain_text", "text": "Acknowledge"}}
BLOCKS: list[dict[str, Any]] = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "*Payment* is down"}},
    {"type": "actions", "block_id": "do", "elements": [BUTTON]},
]


@pytest.fixture
async def slack() -> AsyncIterator[Driver]:
    """A fresh one for each test, so that no bucket is empty."""
    async with Practice(["slack"]) as practice:
        yield Driver(practice.urls["slack"], practice.token)


@pytest.fixture
async def client(slack: Driver) -> AsyncIterator[AsyncWebClient]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(2)) as session:
        # no retry handlers: by default the SDK posts again when an answer is lost
        yield AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url, session=session, retry_handlers=[])


class App(ThreadingHTTPServer):
    """An app under test: verifies as the SDK does, answers what it was told to, after a while if it was told so."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.forms: list[str] = []
        self.answer = ""
        self.delay = 0.0
        self.url = f"http://127.0.0.1:{self.server_port}/slack"


class _Handler(BaseHTTPRequestHandler):
    server: App

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            good = SignatureVerifier(SIGNING_SECRET).is_valid_request(body, dict(self.headers.items()))
        except (ValueError, TypeError):
            good = False
        if good:
            self.server.forms.append(body.decode())
            time.sleep(self.server.delay)
        self.send_response(200 if good else 401)
        text = self.server.answer.encode() if good else b""
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def app() -> Iterator[App]:
    with App() as served:
        thread = Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        served.shutdown()
        thread.join()


async def refusal(call: Awaitable[Any]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def test_a_message_is_posted_updated_and_answered_in_its_thread(client: AsyncWebClient) -> None:
    assert (await client.auth_test())["user_id"] == "U0SHOPWATCH"
    root = await client.chat_postMessage(channel="#incidents", text="down", blocks=BLOCKS)
    assert root["channel"] == INCIDENTS
    await client.chat_update(channel=INCIDENTS, ts=root["ts"], text="up again")
    await client.chat_postMessage(channel=INCIDENTS, text="acknowledged", thread_ts=root["ts"])
    shown = (await client.conversations_history(channel=INCIDENTS))["messages"]
    assert [message["text"] for message in shown] == ["up again"]
    thread = (await client.conversations_replies(channel=INCIDENTS, ts=root["ts"]))["messages"]
    assert [message["text"] for message in thread] == ["up again", "acknowledged"]


async def test_a_lost_delivery_is_found_by_its_metadata(client: AsyncWebClient, slack: Driver) -> None:
    await slack.trouble("chat.postMessage", "lose_answer")
    metadata = {"event_type": "delivery", "event_payload": {"key": "k-1"}}
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=INCIDENTS, text="down", metadata=metadata)
    found = await client.conversations_history(channel=INCIDENTS, include_all_metadata=True)
    assert found["messages"][0]["metadata"]["event_payload"] == {"key": "k-1"}
    assert "metadata" not in (await client.conversations_history(channel=INCIDENTS))["messages"][0]


async def test_slack_refuses_with_its_own_codes(client: AsyncWebClient, slack: Driver) -> None:
    stranger = AsyncWebClient(token="xoxb-guess", base_url=slack.api_url)
    assert await refusal(stranger.auth_test()) == "invalid_auth"
    assert await refusal(client.chat_postMessage(channel="C0NOWHERE", text="x")) == "channel_not_found"
    assert await refusal(client.chat_postMessage(channel="finance", text="x")) == "not_in_channel"
    assert await refusal(client.chat_postMessage(channel="general", text="x" * 40_001)) == "msg_too_long"
    assert await refusal(client.chat_update(channel=INCIDENTS, ts="1.000000", text="x")) == "message_not_found"
    assert await refusal(client.chat_update(channel="#incidents", ts="1.000000", text="x")) == "channel_not_found"
    assert await refusal(client.api_call("chat.shout")) == "unknown_method"
    assert await refusal(client.views_open(trigger_id="1.x", view={})) == "exchanged_trigger_id"


async def test_a_message_needs_content_and_a_thread_that_exists(client: AsyncWebClient) -> None:
    empty: dict[str, Any] = {"channel": INCIDENTS}
    assert await refusal(client.api_call("chat.postMessage", json=empty)) == "no_text"
    lost = client.chat_postMessage(channel=INCIDENTS, text="x", thread_ts="1.000000")
    assert await refusal(lost) == "thread_not_found"
    nowhere = client.chat_postMessage(channel=INCIDENTS, text="x", reply_broadcast=True)
    assert await refusal(nowhere) == "invalid_arguments"


async def test_posts_to_a_channel_are_limited_and_say_when_to_come_back(client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as caught:
        for number in range(10):
            await client.chat_postMessage(channel=INCIDENTS, text=str(number))
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "1"
    await client.chat_postMessage(channel="general", text="another channel has a rate of its own")


async def test_updates_are_limited_to_fifty_a_minute(client: AsyncWebClient) -> None:
    root = await client.chat_postMessage(channel=INCIDENTS, text="down")
    with pytest.raises(SlackApiError, match="ratelimited"):
        for number in range(60):
            await client.chat_update(channel=INCIDENTS, ts=root["ts"], text=str(number))


@pytest.mark.parametrize("kind", ["reset", "lose_answer", "hang", "error_500", "rate_limited"])
async def test_it_fails_as_it_is_told(kind: str, client: AsyncWebClient, slack: Driver) -> None:
    await slack.trouble("auth.test", kind)
    with pytest.raises((aiohttp.ClientError, asyncio.TimeoutError, SlackApiError)):
        await client.auth_test()
    assert (await client.auth_test())["ok"]


async def test_a_command_is_signed_and_its_answer_shown_to_its_user(slack: Driver, app: App) -> None:
    await slack.connect(app.url, app.url)
    app.answer = "Incident 3 acknowledged."
    report = await slack.command("lead", "incidents", "/incident ack 3")
    assert (report["status"], report["acknowledged"], report["problem"]) == (200, True, None)
    assert "command=%2Fincident&text=ack+3" in app.forms[0]
    assert (await slack.messages("incidents"))[0]["for_user"] == "U0LEAD"


@pytest.mark.parametrize(
    "kind", ["wrong", "old", "future", "missing", "garbage", "not_ascii", "bad_timestamp", "tampered"]
)
async def test_bad_signatures_are_sent_and_refused_by_the_sdk(kind: str, slack: Driver, app: App) -> None:
    await slack.connect(app.url, app.url)
    report = await slack.command("lead", "incidents", "/incident", signature=kind)
    assert (report["status"], report["acknowledged"]) == (401, False)
    assert app.forms == []


async def test_an_app_that_takes_longer_than_three_seconds_is_not_acknowledged(slack: Driver, app: App) -> None:
    await slack.connect(app.url, app.url)
    app.delay = 3.2
    report = await slack.command("lead", "incidents", "/incident")
    assert not report["acknowledged"]
    assert "within 3 seconds" in report["problem"]


async def test_commands_cannot_be_used_in_threads(slack: Driver, app: App) -> None:
    await slack.connect(app.url, app.url)
    with pytest.raises(DriverFailed, match="inside threads"):
        await slack.command("lead", "incidents", "/incident", thread_ts="1.000000")


async def test_a_button_is_pressed_and_its_response_url_works_five_times(
    client: AsyncWebClient, slack: Driver, app: App
) -> None:
    await slack.connect(app.url, app.url)
    root = await client.chat_postMessage(channel=INCIDENTS, text="down", blocks=BLOCKS)
    report = await slack.press("lead", "incidents", root["ts"], "ack")
    assert report["acknowledged"]
    assert "block_actions" in app.forms[0]
    webhook = AsyncWebhookClient(report["response_url"])
    answers = [await webhook.send(text=f"answer {number}", response_type="ephemeral") for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [404]
    with pytest.raises(DriverFailed, match="action_not_found"):
        await slack.press("lead", "incidents", root["ts"], "resolve")


async def test_a_modal_is_opened_in_time_and_submitted(client: AsyncWebClient, slack: Driver, app: App) -> None:
    await slack.connect(app.url, app.url)
    root = await client.chat_postMessage(channel=INCIDENTS, text="down", blocks=BLOCKS)
    await slack.press("lead", "incidents", root["ts"], "ack")
    view = {
        "type": "modal",
        "title": {"type": "plain_text", "text": "Update"},
        "submit": {"type": "plain_text", "text": "Send"},
        "blocks": [
            {
                "type": "input",
                "block_id": "text",
                "label": {"type": "plain_text", "text": "What to say"},
                "element": {"type": "plain_text_input", "action_id": "text"},
            }
        ],
    }
    trigger = _trigger(app.forms[0])
    opened = await client.views_open(trigger_id=trigger, view=view)
    assert await refusal(client.views_open(trigger_id=trigger, view=view)) == "exchanged_trigger_id"
    report = await slack.submit("lead", opened["view"]["id"], {"text": {"text": "We are on it"}})
    assert report["acknowledged"]
    assert "view_submission" in app.forms[1]
    assert (await slack.state())["views"] == []


def _trigger(form: str) -> str:
    import json
    from urllib.parse import parse_qs

    return str(json.loads(parse_qs(form)["payload"][0])["trigger_id"])


async def test_the_driver_needs_the_practice_token(slack: Driver) -> None:
    with pytest.raises(DriverFailed, match="token"):
        await Driver(slack.url, "guess").state()


async def test_trouble_can_be_taken_away(client: AsyncWebClient, slack: Driver) -> None:
    await slack.trouble("*", "error_500", times=1000)
    await slack.no_trouble()
    assert (await client.auth_test())["ok"]


async def test_its_own_page_shows_messages_as_text(client: AsyncWebClient, slack: Driver) -> None:
    await client.chat_postMessage(channel=INCIDENTS, text="<script>alert(1)</script>")
    async with aiohttp.ClientSession() as session, session.get(slack.url) as answer:
        page = await answer.text()
    assert "&lt;script&gt;alert(1)" in page
