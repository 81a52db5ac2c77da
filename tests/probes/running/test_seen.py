"""What a failed step says that came instead."""

from typing import Any

import pytest

from probes.result import Reason
from probes.running.context import RunContext
from tests.probes.shop import Reply, Shop, as_json, redirect
from tests.probes.walks import failing

pytestmark = pytest.mark.anyio


async def test_a_status_that_fails_shows_the_body(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("the database is away", 500)
    step = await failing(shop, context, {"get": "/", "expect": {"status": 200}})
    assert (step.reason, step.expected, step.status) == (Reason.STATUS, "status 200", 500)
    assert "the database is away" in (step.seen or "")


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
