"""Ports, certificates, names, databases and Prometheus, each asked for real."""

import asyncio
import json
import sqlite3
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import psycopg
import pytest
import trustme

from probes.files.secrets import Environment
from probes.language.journey import Journey
from probes.result import Outcome, Reason, Result, Step
from probes.running.context import RunContext
from probes.running.runner import run_journey
from tests.a_prometheus import running
from tests.postgresql import serving as postgresql_serving
from tests.probes.http.servers import serving
from tests.probes.http.test_resolve import NameServer, name_server
from tests.probes.shop import Reply, Request, Shop, as_json

pytestmark = pytest.mark.anyio


async def run(context: RunContext, *steps: dict[str, Any], **keys: Any) -> Result:
    whole = {"journey": "j", "service": "shop", "every": "30s", "timeout": "5s", "steps": list(steps), **keys}
    return await run_journey(Journey.model_validate(whole), context)


async def failing(context: RunContext, *steps: dict[str, Any], **keys: Any) -> Step:
    failed = (await run(context, *steps, **keys)).failed
    assert failed is not None, "it is up"
    return failed


async def up(context: RunContext, *steps: dict[str, Any], **keys: Any) -> Result:
    result = await run(context, *steps, **keys)
    assert result.failed is None, result.failed
    return result


# tcp


@asynccontextmanager
async def mail_server() -> AsyncIterator[int]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ready\r\n")
        await reader.readline()
        writer.write(b"250 pleased to meet you\r\n")
        await reader.read()

    async with serving(talk) as port:
        yield port


async def test_a_port_is_connected_to_spoken_to_and_listened_to(context: RunContext) -> None:
    async with mail_server() as port:
        greeted = {
            "tcp": f"127.0.0.1:{port}",
            "send": "EHLO {{ run_id }}\r\n",
            "expect": {"body": {"matches": r"(?s)^220 .*250 "}},
            "save": {"server": {"regex": r"220 (\S+)"}},
        }
        result = await up(context, {"tcp": f"127.0.0.1:{port}"}, greeted, {"check": "{{ server == 'mail.example' }}"})
    assert list(result.steps[0].phases) == ["resolve", "connect"]


async def test_a_server_that_says_something_else_or_nothing(context: RunContext) -> None:
    async with mail_server() as port:
        address = f"127.0.0.1:{port}"
        other = await failing(context, {"tcp": address, "timeout": "200ms", "expect": {"body": {"contains": "SSH"}}})
    assert (other.reason, other.expected, "220 mail.example" in (other.seen or "")) == (
        Reason.BODY, 'body contains "SSH"', True
    )  # fmt: skip
    async with serving(lambda reader, _: reader.read()) as port:  # type: ignore[arg-type, return-value]
        step = {"tcp": f"127.0.0.1:{port}", "timeout": "100ms", "expect": {"body": "x"}}
        silent = await failing(context, step)
    assert (silent.reason, silent.seen) == (Reason.TIMEOUT, "connected, but the server said nothing")


async def test_a_port_where_nobody_listens_is_connect_with_a_command_that_repeats_it(context: RunContext) -> None:
    failed = await failing(context, {"tcp": "127.0.0.1:1"})
    assert (failed.reason, failed.curl) == (Reason.CONNECT, "nc -v -w 5 127.0.0.1 1")


async def test_a_host_that_a_page_named_must_be_one_of_hosts(context: RunContext) -> None:
    async with mail_server() as port:
        step = {"tcp": "{{ vars.where }}"}
        where = {"where": f"127.0.0.1:{port}"}
        failed = await failing(context, step, vars=where)
        assert (failed.reason, "add it to hosts" in (failed.seen or "")) == (Reason.HEADER, True)
        await up(context, step, vars=where, hosts=["127.0.0.1"])


async def test_until_asks_a_port_again(context: RunContext) -> None:
    step = {"tcp": "127.0.0.1:1", "until": {"body": "x"}, "within": "150ms", "poll": "50ms"}
    failed = await failing(context, step)
    assert failed.reason is Reason.FRESHNESS
    assert failed.attempts > 1


# tls


class Secured:
    """A TLS server whose certificate ends in so many days."""

    def __init__(self, folder: Path, name: str = "localhost", days: float = 90) -> None:
        self.ca = folder / "ca.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca))
        self.ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name, not_after=self.ends).configure_cert(self.context)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await reader.read()

        async with serving(answer, self.context) as port:
            yield port


async def test_a_certificate_that_lasts_is_up_and_in_the_result(context: RunContext, tmp_path: Path) -> None:
    secured = Secured(tmp_path)
    async with secured.serving() as port:
        expect = {"expires_in": {"gt": "14d", "lt": "91d"}, "protocol": "TLSv1.3", "value": {"matches": "^20"}}
        step = {"tls": f"localhost:{port}", "expect": expect, "save": {"ends": "value"}}
        result = await up(context, step, tls={"ca": str(secured.ca)})
    assert result.to_json()["certificate"] == {
        "host": f"localhost:{port}",
        "expires_at": secured.ends.isoformat(),
    }
    assert list(result.steps[0].phases) == ["resolve", "connect", "tls"]


async def test_a_certificate_that_ends_sooner_than_expected_is_tls(context: RunContext, tmp_path: Path) -> None:
    secured = Secured(tmp_path, days=5)
    async with secured.serving() as port:
        step = {"tls": f"localhost:{port}", "expect": {"expires_in": {"gt": "14d"}}}
        failed = await failing(context, step, tls={"ca": str(secured.ca)})
    assert (failed.reason, failed.expected) == (Reason.TLS, "a certificate that expires in > 14d")
    assert "UTC, in 5d" in (failed.seen or "")


@pytest.mark.parametrize(("name", "days"), [("other.example", 90), ("localhost", -1)], ids=["its name", "its time"])
async def test_a_certificate_that_cannot_be_trusted_is_tls(
    name: str, days: int, context: RunContext, tmp_path: Path
) -> None:
    secured = Secured(tmp_path, name, days)
    async with secured.serving() as port:
        failed = await failing(context, {"tls": f"localhost:{port}"}, tls={"ca": str(secured.ca)})
    assert (failed.reason, "certificate not accepted" in (failed.seen or "")) == (Reason.TLS, True)


async def test_a_chain_to_nobody_is_tls_unless_nobody_looks(context: RunContext, tmp_path: Path) -> None:
    async with Secured(tmp_path).serving() as port:
        assert (await failing(context, {"tls": f"localhost:{port}"})).reason is Reason.TLS
        await up(context, {"tls": f"localhost:{port}"}, tls={"verify": False})


async def test_every_https_step_reads_the_certificate(context: RunContext, tmp_path: Path) -> None:
    secured = Secured(tmp_path, days=5)
    async with secured.serving() as port:
        result = await up(context, {"get": "/"}, base=f"https://localhost:{port}", tls={"ca": str(secured.ca)})
    assert result.certificate == (f"localhost:{port}", secured.ends)


# dns


async def test_a_name_has_its_addresses(context: RunContext) -> None:
    expect = {"value": {"equals": "127.0.0.1", "count": 2}, "body": {"contains": "::1"}}
    await up(context, {"dns": "localhost", "expect": expect})


async def test_other_records_come_from_the_name_servers(tmp_path: Path) -> None:
    async with name_server(NameServer) as resolver:
        context = RunContext(tmp_path, resolver=resolver)
        step = {"dns": "www.shop.example", "record": "A", "save": {"address": "value"}}
        await up(context, step, {"check": "{{ address == '127.0.0.1' }}"})
        missing = await failing(context, {"dns": "www.shop.example", "record": "MX"})
        assert (missing.reason, missing.curl) == (Reason.DNS, "dig +short www.shop.example MX")
        unknown = await failing(context, {"dns": "nobody.example"})
        assert unknown.reason is Reason.DNS
        context.readers.close()


# sql


@pytest.fixture
def shop_file(tmp_path: Path) -> Iterator[str]:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("create table orders (number text, total numeric, paid boolean)")
        connection.execute("insert into orders values ('A''1', 12.50, 1), ('B2', 3, 0)")
    connection.close()
    yield f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with postgresql_serving() as server:
        url = server.url(server.create())
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create table orders (number text, total numeric, paid boolean)")
            connection.execute("insert into orders values ('A''1', 12.50, true), ('B2', 3, false)")
            connection.execute("create sequence numbers")
        yield url.replace("postgresql:", "postgresql+psycopg:")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))])
def database(request: pytest.FixtureRequest) -> str:
    name = "shop_file" if request.param == "sqlite" else "server_url"
    return str(request.getfixturevalue(name))


async def test_a_value_is_read_matched_saved_and_used_again(context: RunContext, database: str) -> None:
    result = await up(
        context,
        {"sql": "select number from orders where total > {{ most }};", "url": database, "save": {"number": "value"},
         "expect": {"value": {"contains": "A'"}}},
        {"sql": "select total from orders where number = '{{ number }}'", "url": database, "expect": {"value": 12.5}},
        {"sql": "select total from orders where number = {{ number }}", "url": database, "expect": {"value": 12.5}},
        {"sql": "select 1 where 1 = 2", "url": database, "expect": {"value": "absent"}},
        {"sql": "select null", "url": database, "expect": {"value": "present"}},
        vars={"most": 5},
    )  # fmt: skip
    assert result.outcome is Outcome.UP


async def test_what_a_page_said_of_itself_never_becomes_sql(context: RunContext, database: str) -> None:
    steps = [
        {"sql": f"select count(*) from orders where number = {way}", "url": database}
        for way in ("{{ x }}", "'{{ x }}'")
    ]
    for step in steps:
        await up(context, {**step, "expect": {"value": 0}}, vars={"x": "' or 1=1 --"})


async def test_another_value_than_expected_shows_both(context: RunContext, database: str) -> None:
    failed = await failing(context, {"sql": "select count(*) from orders", "url": database, "expect": {"value": 0}})
    assert (failed.reason, failed.expected, failed.seen) == (Reason.VALUE, "value 0", "2")
    assert "select count(*) from orders" in (failed.curl or "")


@pytest.mark.parametrize(
    "statement",
    [
        "with gone as (delete from orders returning 1) select * from gone",
        "select nothing from nowhere",
        "select from where",
    ],
)
async def test_what_cannot_be_asked_is_config(statement: str, context: RunContext, database: str) -> None:
    failed = await failing(context, {"sql": statement, "url": database})
    assert failed.reason is Reason.CONFIG
    await up(context, {"sql": "select count(*) from orders", "url": database, "expect": {"value": 2}})


@pytest.mark.needs("postgresql")
@pytest.mark.parametrize(
    "statement",
    [
        "select set_config('transaction_read_only', 'off', true)",
        "select nextval('numbers')",
        "select 1 as a$b$; commit; drop table orders; --$b$",  # which looks like a text in dollars
    ],
)
async def test_postgresql_lets_nothing_be_written(statement: str, context: RunContext, server_url: str) -> None:
    assert (await failing(context, {"sql": statement, "url": server_url})).reason is Reason.CONFIG


SLOW = {
    "sqlite": "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c",
    "postgresql": "select pg_sleep(30)",
}


async def test_a_query_that_takes_too_long_is_timeout_and_delays_nobody(context: RunContext, database: str) -> None:
    slow = {"sql": SLOW["sqlite" if "sqlite" in database else "postgresql"], "url": database, "timeout": "400ms"}
    threads = threading.active_count()
    quick = {"sql": "select 1", "url": database}
    failed, _, _ = await asyncio.gather(failing(context, slow), up(context, quick), up(context, quick))
    assert failed.reason is Reason.TIMEOUT
    assert 0.2 < failed.duration_s < 1.5
    assert threading.active_count() <= threads + 1  # asyncio's own, that waits for a child's end


async def test_a_value_that_would_fill_the_memory_is_refused(context: RunContext, shop_file: str) -> None:
    failed = await failing(context, {"sql": "select hex(zeroblob(900000000))", "url": shop_file})
    assert (failed.reason, failed.seen) == (Reason.CONFIG, "string or blob too big")


async def test_files_that_are_none_or_no_database(context: RunContext, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at" * 30)
    for url in (f"sqlite:///{tmp_path}/none.db", f"sqlite:///{tmp_path}", f"sqlite:///{tmp_path}/text.db"):
        assert (await failing(context, {"sql": "select 1 from sqlite_master", "url": url})).reason is Reason.CONNECT
    assert not (tmp_path / "none.db").exists()


async def test_a_database_that_hangs_is_left_in_time_and_its_password_is_nowhere(tmp_path: Path) -> None:
    environment = Environment({"SHOP_DATABASE": "unused"})
    context = RunContext(tmp_path / "state", environment)
    async with serving(lambda reader, _: reader.read()) as port:  # type: ignore[arg-type, return-value]
        url = f"postgresql://reader:pass-word-1@127.0.0.1:{port}/shop"
        failed = await failing(context, {"sql": "select 1", "url": url, "timeout": "200ms"})
    assert (failed.reason, failed.duration_s < 1) == (Reason.TIMEOUT, True)
    assert "pass-word-1" not in json.dumps(failed.to_json())
    assert (failed.curl or "").startswith('psql postgresql://reader:"$PGPASSWORD"@127.0.0.1')
    await context.aclose()


@pytest.mark.needs("postgresql")
async def test_a_database_that_hangs_in_the_middle_of_a_query_is_hung_up_on(
    context: RunContext, server_url: str
) -> None:
    folder = server_url.partition("host=")[2]
    stuck = asyncio.Event()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")

        async def answers() -> None:
            while not stuck.is_set() and (data := await there.read(65536)):
                writer.write(data)

        answering = asyncio.create_task(answers())
        while data := await reader.read(65536):
            if b"pg_sleep" in data:
                stuck.set()  # from now on nothing is passed on, to either side
            elif not stuck.is_set():
                back.write(data)
        back.close()
        await answering

    async with serving(relay) as port:
        url = f"postgresql://shopwatch@127.0.0.1:{port}/shop1"
        await up(context, {"sql": "select 1", "url": url})
        step = {"sql": "select pg_sleep(1)", "url": url, "timeout": "300ms"}
        failed = await failing(context, step)
    assert (failed.reason, failed.seen) == (Reason.TIMEOUT, "the query had no result in time")
    assert failed.duration_s < 0.8


async def test_a_query_that_never_got_its_turn_blames_the_prober(context: RunContext, shop_file: str) -> None:
    context.sqlite_turns = asyncio.Semaphore(0)
    failed = await failing(context, {"sql": "select 1", "url": shop_file, "timeout": "100ms"})
    assert failed.reason is Reason.PROBER


async def test_a_database_that_is_not_there_is_connect(context: RunContext) -> None:
    failed = await failing(context, {"sql": "select 1", "url": "postgresql://reader@localhost:1/shop"})
    assert (failed.reason, "refused" in (failed.seen or "")) == (Reason.CONNECT, True)


@pytest.mark.needs("postgresql")
async def test_a_database_or_role_that_does_not_exist(context: RunContext, server_url: str) -> None:
    missing = await failing(context, {"sql": "select 1", "url": server_url.replace("/shop1?", "/nothing?")})
    assert (missing.reason, "does not exist" in (missing.seen or "")) == (Reason.CONNECT, True)


# promql


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


async def test_slowness_is_told_of_every_kind(context: RunContext, database: str) -> None:
    step = {"sql": "select 1", "url": database, "expect": {"slower_than": {"degraded": "1ms", "down": "30s"}}}
    result = await run(context, step)
    assert (result.outcome, result.steps[0].reason) == (Outcome.DEGRADED, Reason.LATENCY)


async def test_a_journey_goes_by_way_of_its_proxy(context: RunContext, shop: Shop) -> None:
    shop.pages["http://shop.example/"] = lambda _: Reply("through")
    proxy = shop.url.replace("//", "//me:pass-word-1@")
    await up(context, {"get": "/", "expect": {"body": "through"}}, base="http://shop.example", proxy=proxy)
    assert shop.requests[0].headers["proxy-authorization"].startswith("Basic ")
    failed = await failing(context, {"get": "/no"}, base="http://shop.example", proxy=proxy)
    assert '--proxy http://me:"$PROXY_PASSWORD"@127.0.0.1' in (failed.curl or "")


@pytest.mark.needs("prometheus")
async def test_a_real_prometheus_answers(context: RunContext, tmp_path: Path) -> None:
    with running(tmp_path / "prometheus", "global: {scrape_interval: 1h}") as server:
        await up(context, {"promql": "vector(40) + 2", "url": server.url, "expect": {"value": 42}})
        for query, reason in (("nobody_has_this", Reason.VALUE), ("sum(", Reason.CONFIG), ("up[5m]", Reason.VALUE)):
            assert (await failing(context, {"promql": query, "url": server.url})).reason is reason
