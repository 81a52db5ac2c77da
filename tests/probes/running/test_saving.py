"""Values that an answer leaves for the steps after it."""

import json

import pytest

from probes.result import Outcome
from probes.running.context import RunContext
from tests.probes.shop import Reply, Shop, as_json
from tests.probes.walks import failing, run

pytestmark = pytest.mark.anyio


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


async def test_of_a_header_that_comes_twice_the_first_is_meant(shop: Shop, context: RunContext) -> None:
    shop.pages["/"] = lambda _: Reply("", headers=[("X-Node", "a"), ("X-Node", "b")])
    step = {"get": "/", "expect": {"header": {"x-node": "a"}}, "save": {"node": {"header": "x-node"}}}
    assert (await run(shop, context, step, {"check": "{{ node == 'a' }}"})).outcome is Outcome.UP
