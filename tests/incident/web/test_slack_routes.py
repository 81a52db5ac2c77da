"""Slack's routes stand in the app where Slack is configured, and the gate leaves the signature to them."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from incident.desk import Desk
from incident.settings import Settings
from incident.web.app import create_app
from tests.incident.conftest import SHOP, Clock

pytestmark = pytest.mark.anyio
FORM = {"command": "/incident", "text": "", "user_id": "U1"}


@pytest.fixture
def settings() -> Settings:
    return Settings.model_validate({**SHOP, "slack": {"bot_token": "xoxb-1", "signing_secret": "s3cret"}})


@pytest.fixture
async def client(desk: Desk, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    app = await create_app(desk, desk.settings)
    transport = httpx.ASGITransport(app, client=("203.0.113.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8470") as made:
        yield made


async def test_what_slack_did_not_sign_is_a_401(client: httpx.AsyncClient) -> None:
    assert (await client.post("/slack/commands", data=FORM)).status_code == 401


async def test_a_web_page_is_refused_before_the_signature_is_looked_at(client: httpx.AsyncClient) -> None:
    response = await client.post("/slack/commands", data=FORM, headers={"Origin": "https://evil.example"})
    assert response.status_code == 403


async def test_without_slack_there_are_no_such_routes(tmp_path: Path, clock: Clock) -> None:
    desk = Desk(f"sqlite:///{tmp_path / 'plain.db'}", Settings.model_validate(SHOP), clock)
    await desk.start()
    transport = httpx.ASGITransport(await create_app(desk, desk.settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8470") as plain:
        assert (await plain.post("/slack/commands", data=FORM)).status_code == 404
    await desk.close()
