"""The whole way through a Slack that is stricter than Slack: the practice one, in a process of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from drills.practice.launch import Practice
from drills.practice.serving import bind
from drills.practice.slack.app import BOT_TOKEN, SIGNING_SECRET
from drills.practice.slack.driver import Driver
from incident.channels import build_channels, close_channels
from incident.core.actor import Actor, Role
from incident.daemon.outbox import Outbox
from incident.desk import Desk
from incident.settings import Settings
from incident.web.app import create_app
from tests.incident.conftest import SHOP, Clock, firing, over

pytestmark = pytest.mark.anyio


@dataclass
class Room:
    """A desk, its outbox, its web app, and a Slack beside them."""

    desk: Desk
    outbox: Outbox
    driver: Driver
    clock: Clock
    member: str

    async def messages(self) -> list[dict[str, Any]]:
        return await self.driver.messages("incidents")

    async def root(self) -> dict[str, Any]:
        (root,) = [m for m in await self.messages() if not m.get("thread_ts") and not m.get("for_user")]
        return root

    async def thread(self) -> str:
        return "\n".join(m["text"] for m in await self.messages() if m.get("thread_ts"))

    async def until(self, holds: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """Sends what is due until the channel is as wanted; fails after ten seconds."""
        for _ in range(100):
            await self.outbox.drain()
            shown = await self.messages()
            if holds(shown):
                return shown
            await asyncio.sleep(0.1)
            self.clock.forward(seconds=1)
        raise AssertionError(f"never so: {shown}")


@pytest.fixture
async def room(tmp_path: Path, clock: Clock) -> AsyncIterator[Room]:
    async with Practice(("slack",)) as practice:
        url = practice.urls["slack"]
        driver = Driver(url, practice.token)
        member = (await driver.state())["users"]["lead"]
        slack = {"bot_token": BOT_TOKEN, "signing_secret": SIGNING_SECRET, "api_url": f"{url}/api/"}
        shop = {
            **SHOP,
            "slack": slack,
            "channels": {"incidents": {"slack": "#incidents"}},
            "routes": [{"match": ['page="no"'], "channels": ["incidents"]}, {"channels": ["incidents"]}],
            "people": {"lead": {"name": "Shift lead", "role": "responder", "slack": member}},
        }
        desk = Desk(f"sqlite:///{tmp_path / 'd.db'}", Settings.model_validate(shop), clock)
        await desk.start()
        channels = build_channels(desk.settings, desk)
        app = await create_app(desk, desk.settings)
        sock = bind(0)
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        address = f"http://127.0.0.1:{sock.getsockname()[1]}"
        await driver.connect(f"{address}/slack/commands", f"{address}/slack/interactions")
        try:
            yield Room(desk, Outbox(desk, channels), driver, clock, member)
        finally:
            server.should_exit = True
            await serving
            await close_channels(channels)
            await desk.close()


async def fire(room: Room) -> None:
    await room.desk.intake([firing("payment", room.clock())], "prober")
    await room.desk.cycle(room.clock())


async def test_an_incident_is_one_root_message_kept_up_to_date_with_its_timeline_in_the_thread(room: Room) -> None:
    await fire(room)
    await room.until(lambda shown: len(shown) >= 2)
    root = await room.root()
    assert "SEV2 #1" in root["text"]
    await room.driver.press("lead", "incidents", root["ts"], "incident.ack")
    await room.until(lambda shown: any("Acknowledged by lead" in m["text"] for m in shown))
    alert = firing("payment", room.clock())
    await room.desk.intake([over(alert, room.clock.forward(seconds=30))], "prober")
    await room.desk.cycle(room.clock())
    await room.until(lambda shown: "(monitoring)" in shown[0]["text"])
    await room.driver.press("lead", "incidents", root["ts"], "incident.resolve")
    await room.until(lambda shown: "(resolved)" in shown[0]["text"])
    assert (await room.desk.incident(1)).resolved_by == "lead"
    assert "Resolved by lead" in await room.thread()


async def test_who_is_paged_for_what_is_there_already_sees_it_in_the_channel(room: Room) -> None:
    await room.desk.intake([firing("payment", room.clock(), "Slowly", "SEV3", page="no")], "prometheus")
    await room.desk.cycle(room.clock())
    await room.until(lambda shown: len(shown) >= 2)
    assert not any(message.get("subtype") for message in await room.messages())
    room.clock.forward(hours=5)
    await room.desk.perform("sev", 1, Actor("lead", Role.RESPONDER), {"severity": "SEV1"})
    await room.until(lambda shown: any("SEV3 → SEV1" in message["text"] for message in shown))
    [shown] = [message for message in await room.messages() if message.get("subtype") == "thread_broadcast"]
    assert "SEV3 → SEV1" in shown["text"]


async def test_commands_answer_the_one_who_asked(room: Room) -> None:
    await fire(room)
    report = await room.driver.command("lead", "incidents", "/incident")
    assert report["status"] == 200
    shown = await room.until(lambda shown: any(m.get("for_user") for m in shown))
    assert "SEV2 #1" in next(m["text"] for m in shown if m.get("for_user"))
    await room.driver.command("lead", "incidents", "/incident update 1 A card provider fails")
    await room.until(lambda shown: any("A card provider fails" in m["text"] for m in shown if m.get("thread_ts")))


async def test_a_command_that_makes_no_sense_is_answered_with_what_would_be_right(room: Room) -> None:
    await room.driver.command("lead", "incidents", "/incident akc 1")
    shown = await room.until(lambda shown: any(m.get("for_user") for m in shown))
    assert 'did you mean "ack"?' in shown[-1]["text"]


async def test_an_answer_that_was_lost_is_recognised_and_the_root_is_not_posted_twice(room: Room) -> None:
    await room.driver.trouble("chat.postMessage", "lose_answer")
    await fire(room)
    await room.until(lambda shown: len(shown) >= 2)
    assert "SEV2 #1" in (await room.root())["text"]


async def test_slack_being_down_stops_nothing_and_is_caught_up_with(room: Room) -> None:
    await room.driver.trouble("*", "error_500", times=3)
    await fire(room)
    await room.outbox.drain()
    assert (await room.desk.incident(1)).open
    await room.until(lambda shown: len(shown) >= 2)


async def test_when_slack_asks_for_patience_it_gets_it(room: Room) -> None:
    await room.driver.trouble("chat.postMessage", "rate_limited", retry_after=1)
    await fire(room)
    await room.outbox.drain()
    page = (await room.desk.deliveries())[-1]
    assert page["state"] == "due" and "patience" in page["error"]
    await room.until(lambda shown: len(shown) >= 2)


async def test_a_note_reaches_the_thread_at_once_and_no_other_channel(room: Room) -> None:
    await fire(room)
    await room.until(lambda shown: len(shown) >= 2)
    await room.desk.perform("note", 1, Actor("lead", Role.RESPONDER), {"text": "it's the <cache>"})
    await room.until(
        lambda shown: any("note: it's the &lt;cache&gt;" in m["text"] for m in shown if m.get("thread_ts"))
    )
    kinds = {row["kind"] for row in await room.desk.deliveries()}
    assert kinds == {"page", "thread"}
