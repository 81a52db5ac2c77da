"""Whole runs against a small real server."""

import hmac
import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from probes.files.secrets import Environment
from probes.result import Outcome, Reason
from probes.running.context import RunContext
from probes.running.runner import run_journey
from tests.probes.shop import Reply, Shop, redirect
from tests.probes.walks import failing, run

pytestmark = pytest.mark.anyio


async def test_a_get_passes_with_any_status_from_200_to_399(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: redirect("/elsewhere")
    result = await run(shop, context, {"get": "/"})
    assert (result.outcome, result.steps[0].status) == (Outcome.UP, 302)
    assert {"resolve", "connect", "processing", "transfer"} <= result.steps[0].phases.keys()


async def test_query_form_json_and_body_are_sent_as_written(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("ok")
    await run(
        shop,
        context,
        {"get": "/?a=1", "query": {"q": "a b&c", "many": [1, 2], "none": None}},
        {"post": "/", "form": {"name": "Bücher & more"}},
        {"put": "/", "json": {"sku": "B-1", "quantity": "{{ quantity }}", "price": "{{ 0.10 + 0.20 }}"}},
        {"patch": "/", "body": "plain {{ quantity }}", "headers": {"Content-Type": "text/x"}},
        {"delete": "/"},
        {"head": "/"},
        vars={"quantity": 2},
    )
    get, form, put, patch, delete, head = shop.requests
    assert get.path == "/?a=1&q=a+b%26c&many=1&many=2"
    assert parse_qsl(form.body.decode()) == [("name", "Bücher & more")]
    assert form.headers["content-type"] == "application/x-www-form-urlencoded"
    assert json.loads(put.body) == {"sku": "B-1", "quantity": 2, "price": 0.30}
    assert put.headers["content-type"] == "application/json"
    assert (patch.body, patch.headers["content-type"]) == (b"plain 2", "text/x")
    assert (delete.method, head.method) == ("DELETE", "HEAD")


async def test_one_connection_serves_a_whole_run_and_no_other(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("ok")
    first = await run(shop, context, {"get": "/"}, {"get": "/"})
    await run(shop, context, {"get": "/"})
    assert shop.connections == 2
    assert "connect" not in first.steps[1].phases


async def test_every_request_says_who_it_is_and_proves_it_with_the_run_key(shop: Shop, tmp_path: Path) -> None:
    shop.pages["/"] = lambda _: Reply("ok")
    context = RunContext(tmp_path, Environment({"SHOPWATCH_RUN_KEY": "the key"}))
    result = await run(shop, context, {"get": "/"})
    await context.aclose()
    digest = hmac.new(b"the key", result.run_id.encode(), "sha256").hexdigest()
    assert shop.requests[0].headers["x-shopwatch-run"] == f"{result.run_id}.{digest}"
    assert shop.requests[0].headers["user-agent"].startswith("shopwatch/")


async def test_without_a_run_key_no_such_header_is_sent(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("ok")
    await run(shop, context, {"get": "/"})
    assert "x-shopwatch-run" not in shop.requests[0].headers


async def test_after_a_failed_step_the_others_are_skipped(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("ok")
    result = await run(shop, context, {"get": "/"}, {"get": "/gone", "service": "cart"}, {"get": "/"})
    assert [str(step.outcome) for step in result.steps] == ["up", "down", "skipped"]
    assert [step.service for step in result.steps] == ["shop", "cart", "shop"]
    assert len(shop.requests) == 2


async def test_a_step_is_skipped_unless_when_is_true(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("ok")
    result = await run(
        shop,
        context,
        {"get": "/", "when": "{{ lines > 0 }}"},
        {"get": "/", "when": "{{ lines == 0 }}"},
        vars={"lines": 0},
    )
    assert [str(step.outcome) for step in result.steps] == ["skipped", "up"]
    assert result.outcome is Outcome.UP


async def test_a_template_that_fails_is_config(shop: Shop, context: RunContext) -> None:
    step = await failing(shop, context, {"get": "/{{ nowhere }}"})
    assert step.reason is Reason.CONFIG
    assert "nowhere" in (step.seen or "")
    assert not shop.requests


async def test_a_template_in_vars_that_fails_is_config_too(shop: Shop, context: RunContext) -> None:
    step = await failing(shop, context, {"get": "/"}, vars={"x": "{{ 1 / 0 }}"})
    assert step.reason is Reason.CONFIG


async def test_a_refused_connection_is_connect(shop: Shop, context: RunContext) -> None:
    step = await failing(shop, context, {"get": "/"}, base="http://127.0.0.1:1")
    assert (step.reason, step.status) == (Reason.CONNECT, None)


async def test_a_trace_is_told_of_every_exchange(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: redirect("/next")
    shop.pages["/next"] = lambda _: Reply("ok")
    hops: list[tuple[str, int | None]] = []
    journey = shop.journey({"get": "/", "follow": True})
    await run_journey(journey, context, trace=lambda hop: hops.append((hop.url, hop.status)))
    assert hops == [(f"{shop.url}/", 302), (f"{shop.url}/next", 200)]


async def test_the_name_of_a_step_reads_with_vars_and_account_and_hides_the_password(
    shop: Shop, context: RunContext
) -> None:
    shop.pages["/"] = lambda _: Reply("hello")
    names = ("buy {{ sku }} as {{ account.user }}", "with {{ account.password }}", "run {{ run_id }}", "{{ 1 / 0 }}")
    steps = [{"name": name, "get": "/"} for name in names]
    accounts = [{"user": "ada", "password": "pass-word-1"}]
    result = await run(shop, context, *steps, vars={"sku": "BOOK-1"}, accounts=accounts)
    assert [step.name for step in result.steps] == [
        "buy BOOK-1 as ada", "with ${ACCOUNT_PASSWORD}", "run {{ run_id }}", "{{ 1 / 0 }}"
    ]  # fmt: skip
