"""The whole web app over the shop's desk, called as by a program of this machine, or as a test says."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from incident.core.actor import Actor, Kind, Role
from incident.desk import Desk
from incident.settings import Settings
from incident.web.app import create_app
from tests.incident.conftest import SHOP

HOST = "http://127.0.0.1:8470"
MORE: dict[str, Any] = {
    "shop": {
        "name": "Example Shop",
        "url": "https://shop.example",
        "time_zone": "Europe/Berlin",
        "languages": ["en", "zh"],
    },
    "services": {
        "login": {"title": "Sign-in", "title_zh": "登录"},
        "catalog": {"title": "Catalogue", "title_zh": "商品目录"},
        "cart": {"title": "Basket", "title_zh": "购物车", "needs": ["catalog"]},
        "checkout": {"title": "Checkout", "title_zh": "结账", "needs": ["login", "cart"]},
        "payment": {"title": "Payment", "title_zh": "支付"},
        "ledger": {"title": "Accounting", "public": False},
        "logistics": {"title": "Delivery tracking", "title_zh": "物流跟踪", "group": "After the order"},
    },
    "status_page": {"title": "Example Shop status", "public_url": "https://status.shop.example"},
}

Connect = Callable[..., httpx.AsyncClient]
Overtaken = Callable[[Callable[[], Awaitable[object]]], None]


@pytest.fixture
def settings() -> Settings:
    return Settings.model_validate({**SHOP, **MORE})


@pytest.fixture
async def connect(desk: Desk) -> AsyncIterator[Connect]:
    """Makes clients: `connect(token=…, client=…, headers=…)`. `client` is the address that the request comes from."""
    app = await create_app(desk, desk.settings)
    async with AsyncExitStack() as stack:

        def make(
            token: str | None = None, client: str = "127.0.0.1", headers: dict[str, str] | None = None
        ) -> httpx.AsyncClient:
            given = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
            transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(client, 50000))
            made = httpx.AsyncClient(transport=transport, base_url=HOST, headers=given)
            stack.push_async_callback(made.aclose)
            return made

        yield make


@pytest.fixture
def tokens(desk: Desk) -> dict[str, str]:
    people = {str(role): desk.lend_token(Actor(f"a-{role}", role)) for role in Role}
    return {**people, "source": desk.lend_token(Actor("prometheus", Role.VIEWER, Kind.SOURCE))}


@pytest.fixture
def overtaken(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Overtaken:
    """`overtaken(by)`: what another request does meanwhile comes in just before what the next one has to say does."""
    intake = desk.intake

    def arrange(by: Callable[[], Awaitable[object]]) -> None:
        async def late(alerts: Any, source: str) -> None:
            monkeypatch.setattr(desk, "intake", intake)
            await by()
            await intake(alerts, source)

        monkeypatch.setattr(desk, "intake", late)

    return arrange
