"""`X-Shopwatch-Run`, by which a shop tells runs from shoppers."""

import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drills.practice.launch import Practice
from drills.practice.secret import run_of
from probes.files.secrets import Environment
from probes.language.journey import Journey
from probes.running.context import RunContext
from probes.running.runner import run_journey
from tests.probes.leftovers.crashing import CHECKOUT, RUN_KEY
from tests.probes.shop import Reply, Shop

pytestmark = pytest.mark.anyio


@pytest.fixture
async def practice() -> AsyncIterator[Practice]:
    async with Practice(["shop"], environment={"SHOPWATCH_RUN_KEY": RUN_KEY}) as practice:
        yield practice


async def test_the_header_is_the_runs_id_and_its_hmac_and_goes_to_the_shop_only(shop: Shop, tmp_path: Path) -> None:
    shop.pages["/"] = lambda _: Reply("ok")
    context = RunContext(tmp_path, Environment({"SHOPWATCH_RUN_KEY": RUN_KEY}))
    elsewhere = shop.url.replace("127.0.0.1", "localhost")
    result = await run_journey(shop.journey({"get": "/"}, {"get": f"{elsewhere}/"}, hosts=["localhost"]), context)
    await context.aclose()
    first, second = shop.requests
    digest = hmac.new(RUN_KEY.encode(), result.run_id.encode(), hashlib.sha256).hexdigest()
    assert first.headers["x-shopwatch-run"] == f"{result.run_id}.{digest}"
    assert "x-shopwatch-run" not in second.headers
    assert re.fullmatch(r"shopwatch/\d+\.\d+\.\d+\S*", second.headers["user-agent"])


@pytest.mark.parametrize(
    ("key", "header"),
    [
        (RUN_KEY, ""),
        (RUN_KEY, "run-1"),
        (RUN_KEY, "." + hmac.new(RUN_KEY.encode(), b"", hashlib.sha256).hexdigest()),
        (RUN_KEY, "run-1." + hmac.new(b"another", b"run-1", hashlib.sha256).hexdigest()),
        ("", "run-1." + hmac.new(b"", b"run-1", hashlib.sha256).hexdigest()),
        (RUN_KEY, "run-1.\N{SNOWMAN}"),
    ],
    ids=["none", "unsigned", "no run", "another key", "no key here", "garbage"],
)
def test_who_does_not_have_the_key_is_no_run(key: str, header: str) -> None:
    assert run_of(key, header) is None


async def test_the_practice_shop_believes_runs_with_its_key_and_nobody_else(practice: Practice, tmp_path: Path) -> None:
    steps = [*CHECKOUT["steps"][:-1], {**CHECKOUT["steps"][-1]}]
    steps[-1]["json"] = {**steps[-1]["json"], "method": "on_delivery"}
    journey = Journey.model_validate({**CHECKOUT, "base": practice.urls["shop"], "steps": steps, "cleanup": []})
    runs = []
    for key in (RUN_KEY, "somebody else's", ""):
        context = RunContext(tmp_path, Environment({"SHOPWATCH_RUN_KEY": key}))
        result = await run_journey(journey, context)
        assert result.outcome == "up", result.failed
        runs.append(result.run_id)
        await context.aclose()
    assert [order["run"] for order in await practice.orders()] == [runs[0], None, None]
