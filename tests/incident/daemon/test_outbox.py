import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, delete, select, update

from incident.channels import Channel, DeliveryFailed, build_channels, close_channels
from incident.channels.webhook import signature
from incident.core.deliveries import Message
from incident.daemon.outbox import Outbox, back_off
from incident.desk import Desk
from incident.settings import Settings
from incident.store.tables import deliveries as rows
from incident.store.tables import events, incidents
from tests.incident.conftest import RESPONDER, SHOP, START, Clock, firing
from tests.incident.receiver import Receiver, receiving

pytestmark = pytest.mark.anyio


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@asynccontextmanager
async def a_desk(
    database_url: str, clock: Clock, channels: dict[str, Any]
) -> AsyncIterator[tuple[Desk, dict[str, Channel]]]:
    shop = {**SHOP, "channels": channels, "routes": [{"channels": list(channels)}]}
    desk = Desk(database_url, Settings.model_validate(shop), clock, base_url="http://shop.test")
    await desk.start()
    built = build_channels(desk.settings, desk)
    try:
        yield desk, built
    finally:
        await close_channels(built)
        await desk.close()


async def states(desk: Desk) -> list[str]:
    return [row["state"] for row in reversed(await desk.deliveries())]


async def test_a_webhook_gets_the_page_and_the_updates_in_order_and_signed(
    database_url: str, clock: Clock, receiver: Receiver
) -> None:
    async with a_desk(database_url, clock, {"hook": {"webhook": receiver.url, "secret": "s3cret-key"}}) as (
        desk,
        channels,
    ):
        await desk.intake([firing("payment")], "prober")
        await desk.cycle(clock())
        await desk.perform("ack", 1, RESPONDER)
        await desk.perform("update", 1, RESPONDER, {"text": "We are on it", "text_zh": "正在处理", "public": True})
        await Outbox(desk, channels).drain()
    page, ack, update = receiver.received
    assert [one.json["event"] for one in receiver.received] == ["opened", "acknowledged", "update"]
    assert page.json["incident"]["url"] == "http://shop.test/incidents/1"
    assert "update" not in ack.json
    assert update.json["update"] == {
        "text": "We are on it",
        "text_zh": "正在处理",
        "public": True,
        "status": "investigating",
    }
    assert len(set(receiver.keys)) == 3
    stamp = page.headers["X-Shopwatch-Timestamp"]
    assert page.headers["X-Shopwatch-Signature"] == signature("s3cret-key", stamp, page.body)
    assert page.headers["X-Shopwatch-Signature"].startswith("v1=")


async def test_a_delivered_page_is_on_the_timeline(database_url: str, clock: Clock, receiver: Receiver) -> None:
    async with a_desk(database_url, clock, {"hook": {"webhook": receiver.url}}) as (desk, channels):
        await desk.perform("open", None, RESPONDER, {"title": "Odd prices"})
        await Outbox(desk, channels).drain()
        assert (await desk.timeline(1))[-1].data == {"channel": "hook", "key": receiver.keys[0]}
        assert "X-Shopwatch-Signature" not in receiver.received[0].headers


async def test_a_failed_delivery_is_tried_again_with_the_same_key_after_a_pause(
    database_url: str, clock: Clock, receiver: Receiver
) -> None:
    receiver.answers = [(503, {})]
    async with a_desk(database_url, clock, {"hook": {"webhook": receiver.url}}) as (desk, channels):
        await desk.perform("open", None, RESPONDER, {"title": "Odd prices"})
        await Outbox(desk, channels).drain()
        await Outbox(desk, channels).drain()
        assert (len(receiver.received), await states(desk)) == (1, ["due"])
        clock.forward(seconds=1)
        await Outbox(desk, channels).drain()
        assert await states(desk) == ["delivered"]
        assert (await desk.metrics()).deliveries == {("hook", "delivered"): 1, ("hook", "retried"): 1}
    assert receiver.keys[0] == receiver.keys[1]


async def test_the_other_side_may_ask_for_a_longer_pause(database_url: str, clock: Clock, receiver: Receiver) -> None:
    receiver.answers = [(429, {"Retry-After": "120"})]
    async with a_desk(database_url, clock, {"hook": {"webhook": receiver.url}}) as (desk, channels):
        await desk.perform("open", None, RESPONDER, {"title": "Odd prices"})
        await Outbox(desk, channels).drain()
        clock.forward(seconds=119)
        await Outbox(desk, channels).drain()
        assert len(receiver.received) == 1
        clock.forward(seconds=1)
        await Outbox(desk, channels).drain()
        assert len(receiver.received) == 2


async def test_what_can_never_arrive_is_given_up_and_said_on_the_timeline(
    database_url: str, clock: Clock, receiver: Receiver
) -> None:
    receiver.answers = [(410, {})]
    async with a_desk(database_url, clock, {"hook": {"webhook": receiver.url}}) as (desk, channels):
        await desk.perform("open", None, RESPONDER, {"title": "Odd prices"})
        await Outbox(desk, channels).drain()
        assert (await desk.timeline(1))[-1].text == "The page to hook was given up: answered 410"


async def test_no_redirect_is_followed(database_url: str, clock: Clock, receiver: Receiver) -> None:
    receiver.answers = [(302, {"Location": receiver.url})]
    async with a_desk(database_url, clock, {"hook": {"webhook": receiver.url}}) as (desk, channels):
        await desk.perform("open", None, RESPONDER, {"title": "Odd prices"})
        await Outbox(desk, channels).drain()
        assert "a redirect: these are not followed" in (await desk.timeline(1))[-1].text
    assert len(receiver.received) == 1


async def test_a_kind_of_channel_that_cannot_be_spoken_fails_loudly(database_url: str, clock: Clock) -> None:
    async with a_desk(database_url, clock, {"sms": {"apprise": "mailto://user:pass@shop.example"}}) as (desk, channels):
        await desk.perform("open", None, RESPONDER, {"title": "Odd prices"})
        await Outbox(desk, channels).drain()
        assert "cannot send by apprise" in (await desk.timeline(1))[-1].text


class Flaky:
    """Refuses the incidents that it is told to, and keeps the order of what it took."""

    def __init__(self, *refused: int) -> None:
        self.refused = set(refused)
        self.taken: list[str] = []

    async def send(self, message: Message) -> None:
        if message.number in self.refused:
            raise DeliveryFailed("not now")
        self.taken.append(message.key)

    async def close(self) -> None:
        return


async def test_one_incident_that_waits_holds_up_only_itself(database_url: str, clock: Clock) -> None:
    async with a_desk(database_url, clock, {"hook": {"webhook": "http://127.0.0.1:9/"}}) as (desk, _):
        flaky = Flaky(1)
        await desk.perform("open", None, RESPONDER, {"title": "One"})
        await desk.perform("ack", 1, RESPONDER)
        await desk.perform("open", None, RESPONDER, {"title": "Two"})
        await Outbox(desk, {"hook": flaky}).drain()
        assert flaky.taken == ["2-1-hook"]
        flaky.refused.clear()
        clock.forward(seconds=1)
        await Outbox(desk, {"hook": flaky}).drain()
        assert flaky.taken == ["2-1-hook", "1-1-hook", "1-2-hook"]


async def test_a_clock_set_back_does_not_make_a_retry_wait_for_it(database_url: str, clock: Clock) -> None:
    async with a_desk(database_url, clock, {"hook": {"webhook": "http://127.0.0.1:9/"}}) as (desk, _):
        flaky = Flaky(1)
        await desk.perform("open", None, RESPONDER, {"title": "One"})
        await Outbox(desk, {"hook": flaky}).drain()
        flaky.refused.clear()
        clock.now -= timedelta(hours=3)
        await Outbox(desk, {"hook": flaky}).drain()
        assert flaky.taken == ["1-1-hook"]


async def test_a_delivery_that_cannot_be_read_or_belongs_to_nothing_holds_up_no_channel(
    database_url: str, clock: Clock
) -> None:
    async with a_desk(database_url, clock, {"hook": {"webhook": "http://127.0.0.1:9/"}}) as (desk, _):
        for title in ("One", "Two", "Three"):
            await desk.perform("open", None, RESPONDER, {"title": title})

        def spoil(connection: Connection) -> None:
            connection.execute(update(rows).where(rows.c.incident == 1).values(message={"x": 1}))
            connection.execute(delete(events).where(events.c.incident == 2))
            connection.execute(delete(incidents).where(incidents.c.number == 2))

        await desk.database.write(spoil)
        flaky = Flaky()
        await Outbox(desk, {"hook": flaky}).drain()
        assert flaky.taken == ["3-1-hook"]
        assert await states(desk) == ["failed", "failed", "delivered"]


async def test_pages_go_before_updates(database_url: str, clock: Clock) -> None:
    async with a_desk(database_url, clock, {"hook": {"webhook": "http://127.0.0.1:9/"}}) as (desk, _):
        flaky = Flaky()
        await desk.perform("open", None, RESPONDER, {"title": "One"})
        await Outbox(desk, {"hook": flaky}).drain()
        await desk.perform("ack", 1, RESPONDER)
        await desk.perform("open", None, RESPONDER, {"title": "Two"})
        await Outbox(desk, {"hook": flaky}).drain()
        assert flaky.taken[1:] == ["2-1-hook", "1-3-hook"]


async def test_what_was_being_sent_when_the_process_died_is_sent_again(database_url: str, clock: Clock) -> None:
    async with a_desk(database_url, clock, {"hook": {"webhook": "http://127.0.0.1:9/"}}) as (desk, _):
        await desk.perform("open", None, RESPONDER, {"title": "One"})
        outgoing = Outbox(desk, {"hook": Flaky()})
        assert await outgoing._dispatch.claim("hook") is not None
        assert await outgoing._dispatch.claim("hook") is None
        flaky = Flaky()
        if not desk.database.sole:  # whoever took it up may be alive elsewhere, for as long as a message may take
            await Outbox(desk, {"hook": flaky}).drain()
            assert flaky.taken == []
            clock.forward(seconds=46)
        await Outbox(desk, {"hook": flaky}).drain()
        assert flaky.taken == ["1-1-hook"]


async def test_a_message_of_thousands_of_alerts_lists_them_all_and_takes_little_room(
    database_url: str, clock: Clock, receiver: Receiver
) -> None:
    async with a_desk(database_url, clock, {"hook": {"webhook": receiver.url}}) as (desk, channels):
        await desk.intake([firing("payment", number=str(number)) for number in range(300)], "prober")
        await desk.cycle(clock())
        then = set((await desk.incident(1)).alerts)
        await desk.perform("update", 1, RESPONDER, {"text": "We are on it"})
        await desk.intake([firing("payment", number="later")], "prober")
        await desk.cycle(clock())
        stored = await desk.database.read(lambda connection: list(connection.execute(select(rows.c.message)).scalars()))
        assert max(len(json.dumps(one)) for one in stored) < 2000
        await Outbox(desk, channels).drain()
    assert [one.json["event"] for one in receiver.received] == ["opened", "update"]
    for one in receiver.received:
        assert set(one.json["incident"]["alerts"]) == then
        assert len(one.json["incident"]["alerts"]) == 300


async def test_a_row_as_the_first_version_wrote_it_is_still_sent(
    database_url: str, clock: Clock, receiver: Receiver
) -> None:
    async with a_desk(database_url, clock, {"hook": {"webhook": receiver.url}}) as (desk, channels):
        await desk.perform("open", None, RESPONDER, {"title": "One"})
        [event] = await desk.timeline(1)
        whole = {
            "key": "1-1-hook",
            "channel": "hook",
            "kind": "page",
            "number": 1,
            "at": START.isoformat(),
            "text": "as it was",
            "incident": (await desk.incident(1)).to_json(),
            "event": event.to_json(),
        }
        await desk.database.write(lambda connection: connection.execute(update(rows).values(message=whole)).rowcount)
        await Outbox(desk, channels).drain()
    [sent] = receiver.received
    assert (sent.key, sent.json["text"], sent.json["incident"]["number"]) == ("1-1-hook", "as it was", 1)


async def test_a_running_outbox_sends_at_once_and_ends_when_told(
    database_url: str, clock: Clock, receiver: Receiver
) -> None:
    async with a_desk(database_url, clock, {"hook": {"webhook": receiver.url}}) as (desk, channels):
        running = asyncio.create_task(Outbox(desk, channels).run())
        await asyncio.sleep(0.1)
        receiver.delay = 0.2
        await desk.perform("open", None, RESPONDER, {"title": "One"})
        while not receiver.received:
            await asyncio.sleep(0.01)
        running.cancel()  # in mid-send: the answer is still waited for
        await asyncio.wait([running])
        assert await states(desk) == ["delivered"]


def test_the_pause_doubles_up_to_a_minute() -> None:
    assert [back_off(attempts) for attempts in (1, 2, 3, 7, 50)] == [1, 2, 4, 60, 60]
    assert back_off(1, 30) == 30
    assert back_off(1, 1e9) == 300
