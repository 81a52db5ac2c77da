"""What a shopper's visit sends where: cookies, redirects, forms, and what stays at home."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from probes.files.secrets import Environment
from probes.http.hosts import join
from probes.result import Outcome, Reason, Result
from probes.running.context import RunContext
from probes.running.runner import run_journey
from tests.probes.shop import Reply, Shop, redirect

pytestmark = pytest.mark.anyio

FORM = """<form id="login" method="post" action="/sign-in?next=%2Faccount">
  <input type="hidden" name="csrf" value="T-1"><input name="user" value=""><input type="password" name="pass">
  <button name="go" value="1">Sign in</button></form>"""


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with Shop() as shop:
        yield shop


@pytest.fixture
async def other() -> AsyncIterator[Shop]:
    async with Shop() as shop:
        yield shop


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[RunContext]:
    context = RunContext(tmp_path, Environment({"SHOPWATCH_RUN_KEY": "run-key"}))
    yield context
    await context.aclose()


async def run(shop: Shop, context: RunContext, *steps: dict[str, Any], **keys: Any) -> Result:
    return await run_journey(shop.journey(*steps, **keys), context)


async def test_a_request_says_how_long_its_body_is_even_where_a_post_has_none(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("ok")
    result = await run(shop, context, {"post": "/"}, {"post": "/", "body": "tea"}, {"get": "/"})
    assert result.outcome is Outcome.UP
    assert [sent.headers.get("content-length") for sent in shop.requests] == ["0", "3", None]
    assert {sent.headers["host"] for sent in shop.requests} == {shop.url.removeprefix("http://")}


async def test_cookies_come_back_and_a_deleted_one_does_not(shop: Shop, context: RunContext) -> None:
    shop.pages["/in"] = lambda _: Reply("ok", 200, [("Set-Cookie", "sid=one; Path=/; HttpOnly")])
    shop.pages["/out"] = lambda _: Reply("ok", 200, [("Set-Cookie", "sid=; Path=/; Max-Age=0")])
    shop.pages["/"] = lambda _: Reply("ok")
    result = await run(
        shop,
        context,
        {"get": "/in", "expect": {"cookie": {"sid": "one"}}},
        {"get": "/", "expect": {"cookie": {"sid": "present"}}},
        {"get": "/out", "expect": {"cookie": {"sid": "absent"}}},
        {"get": "/"},
    )
    assert result.outcome is Outcome.UP
    assert [request.headers.get("cookie") for request in shop.requests] == [None, "sid=one", "sid=one", None]


async def test_a_redirect_is_shown_unless_it_is_to_be_followed(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: redirect("next?a=1", headers=[("Set-Cookie", "a=1")])
    shop.pages["/next"] = lambda _: Reply("there")
    result = await run(
        shop,
        context,
        {"get": "/", "expect": {"status": 302, "header": {"Location": "next?a=1"}}},
        {"get": "/", "follow": True, "expect": {"status": 200, "body": "there"}},
    )
    assert result.outcome is Outcome.UP
    assert [request.path for request in shop.requests] == ["/", "/", "/next?a=1"]


@pytest.mark.parametrize(
    ("status", "method", "body"), [(301, "GET", b""), (302, "GET", b""), (303, "GET", b""), (307, "POST", b"a=1")]
)
async def test_a_post_becomes_what_browsers_make_of_it(
    shop: Shop, context: RunContext, status: int, method: str, body: bytes
) -> None:
    shop.pages["/"] = lambda _: redirect("/next", status)
    shop.pages["/next"] = lambda _: Reply("there")
    await run(shop, context, {"post": "/", "form": {"a": 1}, "follow": True})
    assert (shop.requests[1].method, shop.requests[1].body) == (method, body)
    assert ("content-type" in shop.requests[1].headers) == bool(body)


async def test_a_redirect_loop_is_header(shop: Shop, context: RunContext) -> None:
    shop.pages["/a"] = lambda _: redirect("/b")
    shop.pages["/b"] = lambda _: redirect("/a")
    result = await run(shop, context, {"get": "/a", "follow": True})
    assert result.steps[0].reason is Reason.HEADER
    assert "redirect loop" in (result.steps[0].seen or "")
    assert len(shop.requests) < 15


async def test_redirects_without_end_are_header(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda request: redirect(f"/?{len(shop.requests)}")
    result = await run(shop, context, {"get": "/", "follow": True})
    assert result.steps[0].reason is Reason.HEADER


async def test_a_page_that_sets_a_cookie_and_comes_back_is_no_loop(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda request: (
        Reply("welcome") if "cookie" in request.headers else redirect("/", headers=[("Set-Cookie", "seen=1")])
    )
    result = await run(shop, context, {"get": "/", "follow": True, "expect": {"body": "welcome"}})
    assert result.outcome is Outcome.UP


@pytest.mark.parametrize(
    "location", ["javascript:alert(1)", "http://", "ftp://x/", "http://[bad/", "http://evil.example/"]
)
async def test_a_redirect_that_leads_elsewhere_is_header_and_not_followed(
    shop: Shop, context: RunContext, location: str
) -> None:
    shop.pages["/"] = lambda _: redirect(location)
    result = await run(shop, context, {"get": "/", "follow": True})
    assert result.steps[0].reason is Reason.HEADER
    assert location in (result.steps[0].seen or "")


async def test_another_host_gets_neither_our_mark_nor_headers_nor_cookies(
    shop: Shop, other: Shop, context: RunContext
) -> None:
    shop.pages["/"] = lambda _: Reply("ok", 200, [("Set-Cookie", "sid=one")])
    shop.pages["/pay"] = lambda _: redirect(f"{other.url}/pay")
    other.pages["/pay"] = lambda _: redirect(f"{shop.url}/", headers=[("Set-Cookie", "psp=two")])
    result = await run(
        shop,
        context,
        {"get": "/"},
        {"get": "/pay", "follow": True, "headers": {"X-Step": "s"}},
        {"get": f"{other.url}/pay"},
        hosts=[f"127.0.0.1:{other.port}"],
        headers={"X-Journey": "j"},
        accounts=[{"user": "a", "password": "p", "headers": {"X-Account": "a"}}],
    )
    assert result.outcome is Outcome.UP
    abroad = other.requests[0].headers
    assert not {"x-shopwatch-run", "x-journey", "x-account", "x-step", "cookie"} & abroad.keys()
    assert abroad["user-agent"].startswith("shopwatch/")
    assert other.requests[1].headers["cookie"] == "psp=two"
    assert "x-step" in shop.requests[1].headers
    back_home = shop.requests[2].headers
    assert {"x-shopwatch-run", "x-journey", "x-account"} <= back_home.keys()
    assert back_home["cookie"] == "sid=one"


async def test_a_header_of_the_journey_is_sent_once_its_value_is_known(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("ok", 200, [("X-Token", "t-1")])
    step = {"get": "/", "save": {"token": {"header": "x-token"}}}
    result = await run(shop, context, step, {"get": "/"}, headers={"Authorization": "Bearer {{ token }}"})
    assert result.outcome is Outcome.UP
    assert [request.headers.get("authorization") for request in shop.requests] == [None, "Bearer t-1"]


async def test_a_written_url_to_a_host_that_is_not_named_is_config(
    shop: Shop, other: Shop, context: RunContext
) -> None:
    result = await run(shop, context, {"get": f"{other.url}/"})
    assert result.steps[0].reason is Reason.CONFIG
    assert not other.requests


async def test_a_url_that_came_from_a_page_may_not_lead_elsewhere(shop: Shop, other: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply(f'<a href="{other.url}/x">')
    result = await run(
        shop, context, {"get": "/", "save": {"link": {"html": "a", "attr": "href"}}}, {"get": "{{ link }}"}
    )
    assert result.steps[1].reason is Reason.HEADER
    assert not other.requests


async def test_a_form_is_sent_as_a_browser_would(shop: Shop, context: RunContext) -> None:
    shop.pages["GET /login"] = lambda _: Reply(FORM)
    shop.pages["POST /sign-in"] = lambda _: redirect("/account")
    result = await run(
        shop,
        context,
        {"get": "/login?x=1"},
        {
            "submit": "#login",
            "fields": {"user": "{{ account.user }}", "pass": "{{ account.password }}"},
            "expect": {"status": 302},
        },
        accounts=[{"user": "a@x", "password": "p&1"}],
    )
    assert result.outcome is Outcome.UP
    sent = shop.requests[1]
    assert sent.path == "/sign-in?next=%2Faccount"
    assert parse_qsl(sent.body.decode()) == [("csrf", "T-1"), ("user", "a@x"), ("pass", "p&1"), ("go", "1")]
    assert sent.headers["origin"] == shop.url
    assert sent.headers["referer"] == f"{shop.url}/login?x=1"


async def test_a_get_form_says_where_it_comes_from_but_has_no_origin(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply('<form action="/search"><input name="q" value="book"></form>')
    shop.pages["/search"] = lambda _: Reply("found")
    await run(shop, context, {"get": "/"}, {"submit": "form"})
    assert shop.requests[1].path == "/search?q=book"
    assert "origin" not in shop.requests[1].headers
    assert "referer" in shop.requests[1].headers


async def test_a_form_comes_from_the_last_page_whatever_its_status_but_not_from_a_redirect(
    shop: Shop, context: RunContext
) -> None:
    shop.pages["/"] = lambda _: Reply(FORM, 404)
    shop.pages["/json"] = lambda _: Reply("{}", kind="application/json")
    shop.pages["/moved"] = lambda _: redirect("/")
    shop.pages["POST /sign-in"] = lambda _: Reply("in")
    result = await run(
        shop,
        context,
        {"get": "/", "expect": {"status": 404}},
        {"get": "/json"},
        {"get": "/moved"},
        {"submit": "#login"},
    )
    assert result.outcome is Outcome.UP


async def test_a_form_that_is_not_there_is_html(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("<h1>Sorry</h1>")
    for steps in ([{"get": "/"}, {"submit": "#login"}], [{"submit": "#login"}]):
        result = await run(shop, context, *steps)
        assert result.failed is not None
        assert result.failed.reason is Reason.HTML


async def test_a_form_that_leads_elsewhere_is_header_and_sends_nothing(
    shop: Shop, other: Shop, context: RunContext
) -> None:
    shop.pages["/"] = lambda _: Reply(f'<form method="post" action="{other.url}/steal"><input name="pass"></form>')
    result = await run(shop, context, {"get": "/"}, {"submit": "form", "fields": {"pass": "secret"}})
    assert result.steps[1].reason is Reason.HEADER
    assert not other.requests


@pytest.mark.parametrize(
    ("base", "text", "url"),
    [
        ("https://shop.example", "/a", "https://shop.example/a"),
        ("https://shop.example/", "a?b=1", "https://shop.example/a?b=1"),
        ("https://shop.example/uk", "basket/", "https://shop.example/uk/basket/"),
        ("https://shop.example/uk", "/basket/", "https://shop.example/basket/"),
        ("https://shop.example", "//pay.example/x", "https://pay.example/x"),
        ("https://shop.example:8443", "", "https://shop.example:8443/"),
    ],
)
async def test_a_url_is_relative_to_base_as_a_link_there_would_be(base: str, text: str, url: str) -> None:
    assert str(join(base, text)) == url


async def test_an_address_within_the_query_does_not_make_a_url_absolute(shop: Shop, context: RunContext) -> None:
    shop.pages["/login"] = lambda _: Reply("ok")
    step = {"get": "/login?next=http://other.example/", "expect": {"body": "ok"}}
    assert (await run(shop, context, step)).outcome is Outcome.UP


async def test_a_user_and_password_in_base_become_basic_auth_for_that_host_alone(
    shop: Shop, other: Shop, context: RunContext
) -> None:
    shop.pages["/"] = lambda _: redirect(f"{other.url}/")
    result = await run(
        shop,
        context,
        {"get": "/", "follow": True},
        base=f"http://staging:open%20sesame@127.0.0.1:{shop.port}",
        hosts=[f"127.0.0.1:{other.port}"],
    )
    assert shop.requests[0].headers["authorization"] == "Basic " + b64encode(b"staging:open sesame").decode()
    assert "authorization" not in other.requests[0].headers
    assert "sesame" not in str(result.to_json())


async def test_a_base_that_makes_no_sense_is_config(shop: Shop, context: RunContext) -> None:
    journey = shop.journey({"get": "/"}).model_copy(update={"base": "ftp://shop.example"})
    result = await run_journey(journey, context)
    assert result.steps[0].reason is Reason.CONFIG


async def test_another_port_of_the_own_host_is_another_host_until_hosts_names_it(
    shop: Shop, other: Shop, context: RunContext
) -> None:
    other.pages["/x"] = lambda _: Reply("ok")
    step = {"get": f"{other.url}/x"}
    failed = (await run_journey(shop.journey(step), context)).failed
    assert failed is not None
    assert failed.reason is Reason.CONFIG
    assert f"add 127.0.0.1:{other.port} to hosts" in (failed.seen or "")
    for entry in (f"127.0.0.1:{other.port}", "127.0.0.1"):
        assert (await run_journey(shop.journey(step, hosts=[entry]), context)).outcome is Outcome.UP
