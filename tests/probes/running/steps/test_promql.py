"""Prometheus: what it says, what it does not, and who else may answer."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from probes.result import Reason
from probes.running.context import RunContext
from tests.a_prometheus import running
from tests.probes.running.steps.asking import failing, up
from tests.probes.shop import Reply, Request, Shop, as_json

pytestmark = pytest.mark.anyio


def vector(*values: str) -> dict[str, Any]:
    series = [{"metric": {"job": f"j{n}"}, "value": [1, value]} for n, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": series}}


PROMETHEUS = {
    "one": vector("42.5"),
    "none": vector(),
    "many": vector("1", "2", "3", "4"),
    "scalar": {"status": "success", "data": {"resultType": "scalar", "result": [1, "7"]}},
    "nan": vector("NaN"),
    "range": {"status": "success", "data": {"resultType": "matrix", "result": []}},
    "odd": {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}}]}},
    "slow": {"status": "error", "errorType": "timeout", "error": "query timed out in expression evaluation"},
    "bad": {"status": "error", "errorType": "bad_data", "error": "invalid parameter"},
}


@pytest.fixture
def prometheus(shop: Shop) -> Shop:
    def answer(request: Request) -> Reply:
        data = PROMETHEUS[parse_qs(request.path.partition("?")[2])["query"][0]]
        return as_json(data, {"timeout": 503, "bad_data": 400}.get(str(data.get("errorType")), 200))

    shop.pages["/api/v1/query"] = answer
    shop.pages["/sso/api/v1/query"] = lambda _: Reply("<h1>Sign in</h1>")
    return shop


async def test_a_query_gives_its_one_value(context: RunContext, prometheus: Shop) -> None:
    url = prometheus.url.replace("//", "//me:pass-word-1@") + "/"
    result = await up(
        context,
        {"promql": "one", "url": url, "expect": {"value": {"gt": 42}}, "save": {"rate": "value"}},
        {"promql": "scalar", "url": url, "headers": {"X-Scope-OrgID": "shop"}, "expect": {"value": 7}},
        {"check": "{{ rate + 0.5 == 43 }}"},
    )
    assert "processing" in result.steps[0].phases
    assert prometheus.requests[0].headers["authorization"].startswith("Basic ")
    assert prometheus.requests[1].headers["x-scope-orgid"] == "shop"


@pytest.mark.parametrize(
    ("query", "reason", "seen"),
    [
        ("none", Reason.VALUE, "no data"),
        ("many", Reason.VALUE, "4 series (use sum(), max() or a narrower selector)"),
        ("nan", Reason.VALUE, "NaN"),
        ("range", Reason.VALUE, "matrix"),
        ("odd", Reason.JSON, "body"),
        ("slow", Reason.STATUS, "503: timeout: query timed out"),
        ("bad", Reason.CONFIG, "400: bad_data: invalid parameter"),
    ],
)
async def test_what_is_no_value_says_why(
    query: str, reason: Reason, seen: str, *, context: RunContext, prometheus: Shop
) -> None:
    failed = await failing(context, {"promql": query, "url": prometheus.url, "expect": {"value": {"gte": 0}}})
    assert (failed.reason, seen in (failed.seen or "")) == (reason, True), failed.seen
    assert (failed.curl or "").startswith("curl -sS ")


async def test_somebody_who_is_no_prometheus_is_status(context: RunContext, prometheus: Shop) -> None:
    failed = await failing(context, {"promql": "one", "url": f"{prometheus.url}/sso"})
    assert (failed.reason, "Sign in" in (failed.seen or "")) == (Reason.STATUS, True)


async def test_asking_prometheus_first_does_not_make_it_the_shop(context: RunContext, prometheus: Shop) -> None:
    async with Shop() as other:
        other.pages["/"] = lambda _: Reply("hello")
        await up(context, {"promql": "one", "url": prometheus.url}, {"get": other.url + "/"}, headers={"X-A": "b"})
    assert "x-a" not in prometheus.requests[0].headers
    assert other.requests[0].headers["x-a"] == "b"


@pytest.mark.needs("prometheus")
async def test_a_real_prometheus_answers(context: RunContext, tmp_path: Path) -> None:
    with running(tmp_path / "prometheus", "global: {scrape_interval: 1h}") as server:
        await up(context, {"promql": "vector(40) + 2", "url": server.url, "expect": {"value": 42}})
        for query, reason in (("nobody_has_this", Reason.VALUE), ("sum(", Reason.CONFIG), ("up[5m]", Reason.VALUE)):
            assert (await failing(context, {"promql": query, "url": server.url})).reason is reason
