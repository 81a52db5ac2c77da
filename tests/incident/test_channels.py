import io
import json
from pathlib import Path

import pytest

from incident.channels import Context, DeliveryFailed, build_channels
from incident.channels.console import Console
from incident.channels.webhook import Webhook, build, payload, signature
from incident.core.deliveries import Message
from incident.desk import Desk
from incident.errors import ChannelMisconfigured
from incident.settings import Channel, Settings
from tests.incident.conftest import SHOP, START
from tests.incident.receiver import receiving

pytestmark = pytest.mark.anyio

MESSAGE = Message(
    key="1-1-hook",
    channel="hook",
    kind="page",
    number=1,
    at=START,
    text="SEV2 #1 Preise \u4ef7\u683c \x1b[31mred\x1b[0m\u202e",
    incident={"number": 1, "status": "investigating"},
    event={"seq": 1, "kind": "opened", "text": "Preise", "data": {}},
)


async def test_the_console_prints_one_line_without_control_characters() -> None:
    stream = io.StringIO()
    await Console(stream).send(MESSAGE)
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert "PAGE   SEV2 #1 Preise \u4ef7\u683c" in line
    assert "\x1b" not in line
    assert "\u202e" not in line


async def test_a_terminal_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    stream = io.StringIO()
    stream.close()
    with pytest.raises(DeliveryFailed, match="terminal is gone") as caught:
        await Console(stream).send(MESSAGE)
    assert caught.value.permanent


def test_the_signature_is_what_openssl_computes() -> None:
    # printf '1772355600.{}' | openssl dgst -sha256 -hmac key
    assert signature("key", "1772355600", b"{}") == (
        "v1=acc894d2e05309f6fe97249af980cedae7330a86e9f70c8b915e0a1515756859"
    )


def test_the_payload_says_what_happened() -> None:
    assert set(payload(MESSAGE)) == {"event", "at", "text", "incident"}


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(400, True), (401, True), (404, True), (408, False), (429, False), (500, False), (503, False), (301, True)],
)
async def test_what_may_pass_is_tried_again_and_what_may_not_is_given_up(status: int, permanent: bool) -> None:
    with receiving() as receiver:
        receiver.answers = [(status, {"Location": receiver.url, "Retry-After": "7"})]
        hook = Webhook(receiver.url, None)
        with pytest.raises(DeliveryFailed) as caught:
            await hook.send(MESSAGE)
        await hook.close()
    assert (caught.value.permanent, caught.value.retry_after) == (permanent, 7.0)
    assert str(status) in str(caught.value)


@pytest.mark.parametrize("nonsense", ["soon", f"Mon, 01 Jan {10**20} 00:00:00 GMT", "-5", "1e9"])
async def test_a_senseless_retry_after_is_passed_over(nonsense: str) -> None:
    with receiving() as receiver:
        receiver.answers = [(429, {"Retry-After": nonsense})]
        hook = Webhook(receiver.url, None)
        with pytest.raises(DeliveryFailed) as caught:
            await hook.send(MESSAGE)
        await hook.close()
    assert (caught.value.permanent, caught.value.retry_after) == (False, None)


async def test_nobody_there_is_tried_again() -> None:
    with receiving() as receiver:
        url = receiver.url
    hook = Webhook(url, None)
    with pytest.raises(DeliveryFailed, match="no answer") as caught:
        await hook.send(MESSAGE)
    await hook.close()
    assert not caught.value.permanent


async def test_text_travels_as_it_is_to_programs() -> None:
    with receiving() as receiver:
        hook = Webhook(receiver.url, None)
        await hook.send(MESSAGE)
        await hook.close()
    assert json.loads(receiver.received[0].body)["text"] == MESSAGE.text


async def test_a_channel_that_could_never_work_is_told_at_start(desk: Desk, settings: Settings) -> None:
    spec = Channel.model_construct(webhook="ftp://shop.example/x", secret=None)
    with pytest.raises(ChannelMisconfigured, match="channel hook"):
        build("hook", spec, Context(settings, desk))
    shop = Settings.model_validate({**SHOP, "channels": {**SHOP["channels"], "chat": {"slack": "#incidents"}}})
    with pytest.raises(ChannelMisconfigured, match="channel chat"):
        build_channels(shop, desk)
