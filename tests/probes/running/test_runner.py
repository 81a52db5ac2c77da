"""Whole runs against a small real server."""

import asyncio
import hmac
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from probes.files.secrets import Environment
from probes.result import Outcome, Reason
from probes.running.context import RunContext
from probes.running.performing import shown_time
from probes.running.runner import run_journey
from tests.probes.shop import Reply, Request, Shop, as_json, redirect
from tests.probes.walks import failing, run

pytestmark = pytest.mark.anyio


# Requests as they are written


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


# Expectations, in their order


async def test_the_first_expectation_that_fails_names_the_reason(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply('{"total": 0}', 503, [("X-A", "1")], kind="application/json")
    expect: dict[str, Any] = {
        "status": 200,
        "header": {"X-A": "2"},
        "cookie": {"sid": "present"},
        "body": {"contains": "BOOK"},
        "json": {"$.total": {"gt": 0}},
        "html": {"h1": "present"},
    }
    seen = []
    for key in ("status", "header", "cookie", "body", "json", "html"):
        step = await failing(shop, context, {"get": "/", "expect": {"status": 503} | expect})
        seen.append(str(step.reason))
        del expect[key]
    assert seen == ["status", "header", "cookie", "body", "json", "html"]


async def test_a_status_that_fails_shows_the_body(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("the database is away", 500)
    step = await failing(shop, context, {"get": "/", "expect": {"status": 200}})
    assert (step.reason, step.expected, step.status) == (Reason.STATUS, "status 200", 500)
    assert "the database is away" in (step.seen or "")


@pytest.mark.parametrize("status", [401, 403])
async def test_an_unexpected_401_or_403_is_auth(shop: Shop, context: RunContext, status: int) -> None:
    shop.pages["/"] = lambda _: Reply("who are you?", status)
    assert (await failing(shop, context, {"get": "/"})).reason is Reason.AUTH
    assert (await run(shop, context, {"get": "/", "expect": {"status": status}})).outcome is Outcome.UP


async def test_a_step_that_those_before_it_left_no_time_says_so(shop: Shop, context: RunContext) -> None:
    async def slow(_: Request) -> Reply:
        await asyncio.sleep(0.25)
        return Reply("ok")

    shop.pages["/"] = slow
    step = await failing(shop, context, {"get": "/", "name": "slow"}, {"get": "/"}, timeout="400ms")
    assert step.reason is Reason.TIMEOUT
    assert re.search(r"only 0\.1\d? s of the run's 400ms were left for it", step.seen or "")
    alone = await failing(shop, context, {"get": "/"}, timeout="100ms")
    assert "were left" not in (alone.seen or "")


async def test_a_step_that_waiting_for_an_account_left_no_time_says_so(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: asyncio.sleep(60)
    lease = context.accounts.try_lease(["buyer"])
    assert lease is not None
    asyncio.get_running_loop().call_later(0.3, lease.release)
    accounts = [{"user": "buyer", "password": "p"}]
    step = await failing(shop, context, {"get": "/"}, timeout="400ms", accounts=accounts)
    assert re.search(r"were left for it, 0\.3\d? s had gone by waiting for a free account", step.seen or "")
    assert step.reason is Reason.PROBER


@pytest.mark.parametrize(
    ("waiting", "more"),
    [(0.15, {}), (0.3, {"timeout": "60ms"}), (0.3, {"until": {"status": 200}, "within": "50ms", "poll": "20ms"})],
    ids=["half of the run's time was left", "its own timeout was left", "all that it is waited for was left"],
)
async def test_a_step_that_had_its_usual_time_after_the_wait_for_an_account_is_the_shops(
    shop: Shop, context: RunContext, waiting: float, more: dict[str, Any]
) -> None:
    shop.pages["/"] = lambda _: asyncio.sleep(60)
    lease = context.accounts.try_lease(["buyer"])
    assert lease is not None
    asyncio.get_running_loop().call_later(waiting, lease.release)
    accounts = [{"user": "buyer", "password": "p"}]
    step = await failing(shop, context, {"get": "/", **more}, timeout="500ms", accounts=accounts)
    assert step.reason in (Reason.TIMEOUT, Reason.FRESHNESS)


async def test_an_until_that_waiting_for_an_account_cut_short_is_not_the_shops(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("not yet", 404)
    lease = context.accounts.try_lease(["buyer"])
    assert lease is not None
    asyncio.get_running_loop().call_later(0.3, lease.release)
    wait = {"get": "/", "until": {"status": 200}, "within": "300ms", "poll": "20ms"}
    step = await failing(shop, context, wait, timeout="400ms", accounts=[{"user": "buyer", "password": "p"}])
    assert step.reason is Reason.PROBER


async def test_a_token_in_an_answer_is_not_shown(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: as_json({"token": "4f9a0c77d1e2b3a4", "error": "no basket"})
    step = await failing(shop, context, {"get": "/", "expect": {"json": {"$.basket": "present"}}})
    assert step.seen == 'nothing in the body: {"token": "***", "error": "no basket"}'


async def test_a_shop_that_slows_us_down_says_for_how_long(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("Too many requests", 429, [("Retry-After", "900")], "text/plain")
    step = await failing(shop, context, {"get": "/"})
    assert step.seen == "429 with Retry-After: 900 with the body: Too many requests"


async def test_of_a_page_the_evidence_shows_what_a_reader_sees(shop: Shop, context: RunContext) -> None:
    page = "<title>Pay</title><style>p {}</style><p>Card\n declined</p><script>x()</script>"
    shop.pages["/"] = lambda _: Reply(page)
    for expect in ({"status": 303}, {"body": {"contains": "Thank you"}}):
        step = await failing(shop, context, {"get": "/", "expect": expect})
        assert (step.seen or "").endswith('the page titled "Pay": Card declined')


async def test_after_a_failed_step_the_others_are_skipped(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("ok")
    result = await run(shop, context, {"get": "/"}, {"get": "/gone", "service": "cart"}, {"get": "/"})
    assert [str(step.outcome) for step in result.steps] == ["up", "down", "skipped"]
    assert [step.service for step in result.steps] == ["shop", "cart", "shop"]
    assert len(shop.requests) == 2


async def test_numbers_in_json_are_compared_as_decimals(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply('{"items": 0.1, "shipping": 0.2}', kind="application/json")
    save = {"items": {"json": "$.items"}, "shipping": {"json": "$.shipping"}}
    result = await run(shop, context, {"get": "/", "save": save}, {"check": "{{ items + shipping == 0.3 }}"})
    assert result.outcome is Outcome.UP


async def test_a_check_that_fails_shows_the_values_it_names(shop: Shop, context: RunContext) -> None:
    step = await failing(shop, context, {"check": "{{ a + b == 4 }}"}, vars={"a": 1, "b": 2})
    assert (step.reason, step.expected, step.seen) == (Reason.VALUE, "{{ a + b == 4 }}", "a = 1, b = 2")


async def test_a_time_past_its_limit_never_reads_as_the_limit() -> None:
    assert [shown_time(seconds) for seconds in (2.0, 2.0001, 0.0421)] == ["2s", "2s1ms", "43ms"]


async def test_slow_is_degraded_and_slower_is_down(shop: Shop, context: RunContext) -> None:
    async def slow(_: Request) -> Reply:
        await asyncio.sleep(0.05)
        return Reply("ok")

    shop.pages["/"] = slow
    degraded = await run(shop, context, {"get": "/", "expect": {"slower_than": {"degraded": "20ms"}}}, {"get": "/"})
    assert degraded.outcome is Outcome.DEGRADED
    assert [str(step.outcome) for step in degraded.steps] == ["degraded", "up"]
    assert degraded.steps[0].reason is Reason.LATENCY
    down = await failing(shop, context, {"get": "/", "expect": {"slower_than": {"down": "20ms"}}})
    assert (down.reason, down.expected) == (Reason.LATENCY, "at most 20ms")


# Values from one step to the next


async def test_values_are_saved_from_every_place(shop: Shop, context: RunContext) -> None:
    shop.pages["/page"] = lambda _: Reply(
        '<h1> Your  basket </h1><input name="t" value="T1"> order <b>77</b>',
        200,
        [("Set-Cookie", "c=cv"), ("X-H", "hv")],
    )
    shop.pages["/json"] = lambda _: as_json({"id": 5, "list": [1, 2]})
    shop.pages["/echo"] = lambda _: Reply("ok")
    page = {
        "title": {"html": "h1"},
        "field": {"html": "input[name=t]", "attr": "value"},
        "cookie": {"cookie": "c"},
        "header": {"header": "x-h"},
        "order": {"regex": r"order <b>(\d+)"},
        "code": "status",
        "absent": {"html": "h2", "default": "nothing here"},
    }
    await run(
        shop,
        context,
        {"get": "/page", "save": page},
        {"get": "/json", "save": {"id": {"json": "$.id"}, "second": {"json": "$.list[1]"}}},
        {
            "post": "/echo",
            "json": {name: "{{ " + name + " }}" for name in (*page, "id", "second")},
        },
    )
    assert json.loads(shop.requests[-1].body) == {
        "title": "Your basket",
        "field": "T1",
        "cookie": "cv",
        "header": "hv",
        "order": "77",
        "code": 200,
        "absent": "nothing here",
        "id": 5,
        "second": 2,
    }


@pytest.mark.parametrize(
    ("save", "reason"),
    [
        ({"json": "$.id"}, "json"),
        ({"header": "x-a"}, "header"),
        ({"cookie": "c"}, "cookie"),
        ({"regex": "(x)"}, "body"),
    ],
)
async def test_what_cannot_be_saved_fails_the_step(
    shop: Shop, context: RunContext, save: dict[str, str], reason: str
) -> None:
    shop.pages["/"] = lambda _: as_json({})
    step = await failing(shop, context, {"get": "/", "save": {"value": save}})
    assert step.reason == reason
    assert (step.seen or "").startswith("nothing")
    assert "to save as value" in (step.expected or "")


async def test_a_missing_element_shows_which_page_came_instead(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("<title>Down for maintenance</title>")
    step = await failing(shop, context, {"get": "/", "expect": {"html": {"#login_form": "present"}}})
    assert step.reason is Reason.HTML
    assert step.seen == 'nothing in the page titled "Down for maintenance", which shows no text'


async def test_another_text_than_expected_comes_with_what_the_page_complains_of(
    shop: Shop, context: RunContext
) -> None:
    shop.pages["/"] = lambda _: Reply("<h2>Review order</h2><div class='alert alert-danger'>We are too busy.</div>")
    step = await failing(shop, context, {"get": "/", "expect": {"html": {"h2": "Thank you"}}})
    assert step.seen == '"Review order"; the page says "We are too busy."'
    step = await failing(shop, context, {"get": "/", "expect": {"html": {".alert": "Saved."}}})
    assert step.seen == '"We are too busy."'


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        ({"expect": {"html": {"#address": "present"}}}, "nothing in "),
        ({"expect": {"json": {"$.total": "present"}}}, None),
        ({"expect": {"body": {"contains": "Your basket"}}}, ""),
        ({"save": {"total": {"html": "#total"}}}, "nothing in "),
    ],
)
async def test_a_redirect_that_came_instead_is_shown_with_where_it_leads(
    shop: Shop, context: RunContext, asked: dict[str, Any], seen: str | None
) -> None:
    shop.pages["/"] = lambda _: redirect("/login?next=/")
    step = await failing(shop, context, {"get": "/", **asked})
    where = "a 302 that leads to /login?next=/"
    assert where in (step.seen or "") if seen is None else step.seen == seen + where


async def test_missing_json_shows_what_came_instead(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: as_json({"error": "card expired"})
    step = await failing(shop, context, {"get": "/", "expect": {"json": {"$.order": "present"}}})
    assert step.seen == 'nothing in the body: {"error": "card expired"}'


@pytest.mark.parametrize("expect", [{"cookie": {"session": "present"}}, {"header": {"X-Token": "present"}}])
async def test_a_missing_cookie_or_header_shows_what_came_instead(
    shop: Shop, context: RunContext, expect: dict[str, dict[str, str]]
) -> None:
    shop.pages["/"] = lambda _: as_json({"error": "wrong password"})
    step = await failing(shop, context, {"get": "/", "expect": expect})
    assert step.seen == 'nothing, with the body: {"error": "wrong password"}'


async def test_of_a_header_that_comes_twice_the_first_is_meant(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("", headers=[("X-Node", "a"), ("X-Node", "b")])
    step = {"get": "/", "expect": {"header": {"x-node": "a"}}, "save": {"node": {"header": "x-node"}}}
    assert (await run(shop, context, step, {"check": "{{ node == 'a' }}"})).outcome is Outcome.UP


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


# Bad targets


async def test_a_refused_connection_is_connect(shop: Shop, context: RunContext) -> None:
    step = await failing(shop, context, {"get": "/"}, base="http://127.0.0.1:1")
    assert (step.reason, step.status) == (Reason.CONNECT, None)


async def test_a_body_that_is_not_in_the_charset_it_declares_is_body(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply(b"BOOK-1 \xff\xfe")
    step = await failing(shop, context, {"get": "/", "expect": {"body": {"contains": "BOOK-1"}}})
    assert step.reason is Reason.BODY


async def test_a_body_over_two_mebibytes_is_body(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply(b"x" * (2 << 20) + b"x")
    assert (await failing(shop, context, {"get": "/"})).reason is Reason.BODY


async def test_json_that_is_none_is_json(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("<h1>Maintenance</h1>")
    step = await failing(shop, context, {"get": "/", "expect": {"json": {"$.id": "present"}}})
    assert step.reason is Reason.JSON
    assert "Maintenance" in (step.seen or "")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "text/plain"])
async def test_a_byte_order_mark_before_json_is_ignored(shop: Shop, context: RunContext, kind: str) -> None:
    shop.pages["/"] = lambda _: Reply(b'\xef\xbb\xbf{"total": 9.90}', kind=kind)
    expect = {"json": {"$.total": 9.9}}
    result = await run(shop, context, {"get": "/", "expect": expect, "save": {"total": {"json": "$.total"}}})
    assert result.outcome is Outcome.UP


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
