"""Databases, SQLite's and PostgreSQL's, for real: read only, in time, and never told what a page says."""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from probes.files.secrets import Environment
from probes.result import Outcome, Reason
from probes.running.context import RunContext
from tests.postgresql import serving as postgresql_serving
from tests.probes.http.servers import serving
from tests.probes.running.steps.asking import failing, run, up

pytestmark = pytest.mark.anyio


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


@pytest.mark.by_the_clock
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


@pytest.mark.by_the_clock
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
@pytest.mark.by_the_clock
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
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [(("/shop1?", "/nothing?"), Reason.CONNECT), (("//shopwatch@", "//nobody@"), Reason.AUTH)],
    ids=["database", "role"],
)
async def test_a_database_or_role_that_does_not_exist(
    wrong: tuple[str, str], reason: Reason, context: RunContext, server_url: str
) -> None:
    missing = await failing(context, {"sql": "select 1", "url": server_url.replace(*wrong)})
    assert (missing.reason, "does not exist" in (missing.seen or "")) == (reason, True)


@pytest.mark.needs("postgresql")
async def test_a_table_that_the_role_may_not_read_is_auth(context: RunContext, server_url: str) -> None:
    plain = server_url.replace("postgresql+psycopg:", "postgresql:")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("create role guest login")
    step = {"sql": "select count(*) from orders", "url": plain.replace("shopwatch@", "guest@")}
    failed = await failing(context, step)
    assert (failed.reason, failed.seen) == (Reason.AUTH, "permission denied for table orders")


async def test_several_hosts_are_tried_in_turn(context: RunContext) -> None:
    failed = await failing(context, {"sql": "select 1", "url": "postgresql://reader@localhost:1,127.0.0.1:2/shop"})
    assert failed.reason is Reason.CONNECT
    assert "port 1" in (failed.seen or "")
    assert "port 2" in (failed.seen or "")


async def test_slowness_is_told_of_every_kind(context: RunContext, database: str) -> None:
    step = {"sql": "select 1", "url": database, "expect": {"slower_than": {"degraded": "1ms", "down": "30s"}}}
    result = await run(context, step)
    assert (result.outcome, result.steps[0].reason) == (Outcome.DEGRADED, Reason.LATENCY)


async def test_a_database_that_a_template_names_must_be_one_of_hosts(context: RunContext) -> None:
    step, where = (
        {"sql": "select 1", "url": "{{ vars.database }}"},
        {"database": "postgresql://reader@127.0.0.1:1/shop"},
    )
    assert (await failing(context, step, vars=where)).reason is Reason.HEADER
    assert (await failing(context, step, vars=where, hosts=["127.0.0.1:2"])).reason is Reason.HEADER
    assert (await failing(context, step, vars=where, hosts=["127.0.0.1:1"])).reason is Reason.CONNECT
