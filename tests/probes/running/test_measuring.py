"""Which of its saved values a result tells."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli import shopwatch
from probes.files.settings import ShopSettings
from probes.running.context import RunContext
from tests.probes.shop import Reply, Shop, as_json
from tests.probes.walks import run

pytestmark = pytest.mark.anyio
PAGE = '<p id="many">1 234</p><p id="few">3.5</p><p id="debt">-3</p>'


@pytest.fixture
def measuring(shop: Shop, context: RunContext) -> RunContext:
    numbers = {"rate": 12.5, "large": 1e300, "text": "many", "null": None, "list": [1], "yes": True, "api_token": 77}
    shop.pages["/numbers"] = lambda _: as_json(numbers)
    shop.pages["/page"] = lambda _: Reply(PAGE, headers=[("Set-Cookie", "visits=42; Path=/")])
    return context


async def measured(shop: Shop, context: RunContext, save: dict[str, Any], *more: dict[str, Any]) -> object:
    context.measures = {"j": list(save), "another": ["other"]}
    path = "/page" if any("html" in str(one) or "cookie" in str(one) for one in save.values()) else "/numbers"
    result = await run(shop, context, {"get": path, "save": {**save, "other": "status"}}, *more)
    return result.to_json().get("measured")


@pytest.mark.parametrize(
    ("save", "told"),
    [
        pytest.param({"orders": {"json": "$.rate"}}, {"orders": 12.5}, id="a number"),
        pytest.param({"orders": {"html": "#few"}}, {"orders": 3.5}, id="text that is a number"),
        pytest.param({"code": "status"}, {"code": 200.0}, id="a status"),
        pytest.param({"orders": {"html": "#many"}}, None, id="text that is none"),
        pytest.param({"orders": {"json": "$.text"}}, None, id="a word"),
        pytest.param({"orders": {"html": "#debt"}}, None, id="less than nothing"),
        pytest.param({"orders": {"json": "$.large"}}, None, id="too large"),
        pytest.param({"orders": {"json": "$.null"}}, None, id="null"),
        pytest.param({"orders": {"json": "$.list"}}, None, id="a list"),
        pytest.param({"orders": {"json": "$.yes"}}, None, id="a truth"),
        pytest.param({"orders": {"json": "$.missing", "default": 9}}, None, id="a default"),
        pytest.param({"orders": {"cookie": "visits"}}, None, id="a cookie"),
        pytest.param({"secret_number": {"json": "$.rate"}}, None, id="a secret's name"),
        pytest.param({"orders": {"json": "$.api_token"}}, None, id="a secret's place"),
    ],
)
async def test_a_result_tells_numbers_that_are_asked_for(
    save: dict[str, Any], told: dict[str, float] | None, *, shop: Shop, measuring: RunContext
) -> None:
    assert await measured(shop, measuring, save) == told


async def test_a_run_that_failed_has_measured_nothing(shop: Shop, measuring: RunContext) -> None:
    failing = {"check": "{{ orders > 100 }}"}
    assert await measured(shop, measuring, {"orders": {"json": "$.rate"}}, failing) is None


async def test_what_cleanup_saves_is_no_measure(shop: Shop, measuring: RunContext) -> None:
    measuring.measures = {"j": ["orders"]}
    again = [{"get": "/page", "save": {"orders": {"html": "#few"}}}]
    steps = {"get": "/numbers", "save": {"orders": {"json": "$.rate"}}}
    assert (await run(shop, measuring, steps, cleanup=again)).measured == {"orders": 12.5}


def test_the_settings_name_what_is_to_be_told() -> None:
    rate = {"journey": "order-rate", "value": "orders"}
    services = {
        "cart": {"title": "Basket", "orders_per_minute": 4},
        "checkout": {"title": "Checkout", "orders_per_minute": rate},
        "payment": {"title": "Payment", "orders_per_minute": {**rate, "value": "payments", "otherwise": 3}},
        "login": {"title": "Sign-in"},
    }
    settings = ShopSettings.model_validate({"shop": {"name": "S"}, "services": services})
    assert settings.measures() == {"order-rate": frozenset({"orders", "payments"})}


def test_a_run_by_hand_shows_what_it_measured(tmp_path: Path) -> None:
    rate = "{journey: rate, value: orders}"
    (tmp_path / "shopwatch.yaml").write_text(
        f"shop: {{name: S}}\nservices:\n  cart: {{title: Basket, orders_per_minute: {rate}}}\n"
    )
    (tmp_path / "probes").mkdir()
    sqlite3.connect(tmp_path / "shop.db").close()
    (tmp_path / "probes" / "rate.yaml").write_text(
        "journey: rate\nservice: cart\nevery: 1m\nsteps:\n"
        f"  - sql: select 12.25\n    url: sqlite:///{tmp_path / 'shop.db'}\n    save: {{orders: value, other: value}}\n"
    )

    def said(*more: str) -> str:
        done = CliRunner().invoke(shopwatch, ["-w", str(tmp_path), "probe", "run", "rate", *more])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "measured  orders = 12.25\n" in said()
    assert json.loads(said("--json"))["measured"] == {"orders": 12.25}
