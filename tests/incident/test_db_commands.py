import json
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Float,
    LargeBinary,
    String,
    Text,
    insert,
    select,
    text,
    update,
)

from cli import shopwatch
from incident.desk import Desk
from incident.settings import Settings
from incident.store.database import Database
from incident.store.tables import events, incidents, metadata
from incident.store.types import UtcDateTime
from tests.incident.conftest import ONLY_SQLITE, RESPONDER, START, Clock, firing
from tests.postgresql import Server

BOTH = [pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))]


def run(*words: str) -> Result:
    return CliRunner().invoke(shopwatch, ["db", *words])


def example(column: Column[Any], number: int) -> Any:
    if column.nullable and number == 3:
        return None
    kind = column.type
    if isinstance(kind, UtcDateTime):
        return START + timedelta(days=number, microseconds=number)
    if isinstance(kind, JSON):
        return {"b": [number, None, 0.1], "a": "支付 \u2028"}
    if isinstance(kind, String) and not isinstance(kind, Text):
        return f"é{number}"[: kind.length]
    made: dict[type, Any] = {
        Boolean: number % 2 == 0,
        Float: number + 0.1,
        LargeBinary: bytes([number, 0, 255]),
        Text: f"line\n{number} '\"\\ 支付",
    }
    return next((value for known, value in made.items() if isinstance(kind, known)), number)


def fill(connection: Connection) -> None:
    """Three rows in every table, so that a table that is added tomorrow is tried too."""
    for table in metadata.sorted_tables:
        rows = [{column.name: example(column, number) for column in table.c} for number in (1, 2, 3)]
        connection.execute(insert(table), rows)


def within(url: str, *jobs: Any) -> list[Any]:
    """Runs jobs on a database that is made where there is none."""
    database = Database(url)
    database.open()
    try:
        return [database.write_now(job) for job in jobs]
    finally:
        database.close()


@pytest.fixture
def another(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A second empty database, of the kind that the test's parameter names."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'another.db'}"
        return
    server: Server = request.getfixturevalue("postgresql")
    name = server.create(request.getfixturevalue("migrated"))
    yield server.url(name)
    server.drop(name)


@pytest.mark.parametrize("another", BOTH, indirect=True)
def test_everything_goes_from_one_database_to_another_unchanged(
    database_url: str, another: str, tmp_path: Path
) -> None:
    within(database_url, fill)
    first, second = tmp_path / "first", tmp_path / "second"
    assert run("export", str(first), "--database", database_url).exit_code == 0
    done = run("import", str(first), "--database", another)
    assert (done.exit_code, done.stdout) == (
        0,
        f"{3 * len(metadata.tables)} rows in {len(metadata.tables)} tables.\n",
    )
    assert run("export", str(second), "--database", another).exit_code == 0
    assert first.read_text().splitlines()[1:] == second.read_text().splitlines()[1:]
    assert stat.S_IMODE(first.stat().st_mode) == 0o600


@pytest.mark.anyio
@pytest.mark.parametrize("another", BOTH, indirect=True)
async def test_work_goes_on_where_it_stood_on_another_database(
    desk: Desk, another: str, tmp_path: Path, settings: Settings, clock: Clock
) -> None:
    await desk.intake([firing("payment")], "prober")
    await desk.cycle(clock())
    await desk.open_drill("one", "practice", None, clock() + timedelta(minutes=1), RESPONDER)
    secret = await desk.create_token("mara", "responder")
    file = tmp_path / "all.jsonl"
    assert run("export", str(file), "--database", str(desk.database.url)).exit_code == 0  # while it is in use
    assert secret not in file.read_text()
    assert run("import", str(file), "--database", another).exit_code == 0
    moved = Desk(another, settings, clock)
    await moved.start()
    try:
        assert await moved.incident(1) == await desk.incident(1)
        assert await moved.timeline(1) == await desk.timeline(1)
        await moved.perform("ack", 1, RESPONDER)
        clock.forward(minutes=2)
        assert await moved.open_drill("two", "practice", None, clock() + timedelta(minutes=1), RESPONDER) == 2
        assert await moved.authenticate(secret) is not None
    finally:
        await moved.close()


def test_it_is_written_to_standard_output_where_no_file_is_named(database_url: str) -> None:
    within(database_url, fill)
    lines = run("export", "--database", database_url).stdout.splitlines()
    assert json.loads(lines[0])["shopwatch"] == "export"
    assert json.loads(lines[-1]) == {"end": True, "rows": len(lines) - 2}


def spoilt(lines: list[str]) -> Iterator[tuple[str, list[str], str]]:
    yield "cut between lines", lines[:-2], "ends in the middle"
    yield "cut within a line", [*lines[:-2], lines[-2][:20]], f"line {len(lines) - 1}: this is no JSON"
    yield "a line lost", [*lines[:5], *lines[6:]], "rows, and there are"
    yield "no export", ["{}\n"], "line 1: this is no file of"
    yield "empty", [], "line 1: this is no file of"
    yield "of another format", [lines[0].replace('"version":1', '"version":2'), *lines[1:]], "reads the format 1"
    yield (
        "of another revision",
        [lines[0].replace('"revision":"', '"revision":"x'), *lines[1:]],
        "with the Shopwatch that",
    )
    yield "a table unknown", [*lines[:3], '{"table":"x","row":{}}\n', *lines[3:]], "line 4: this is no row of a table"
    yield "a column unknown", [*lines[:3], '{"table":"events","row":{"x":1}}\n', *lines[3:]], "line 4: the columns"
    yield "more after the end", [*lines, lines[1]], "follows the end"


def test_a_file_that_is_not_whole_leaves_nothing_behind(database_url: str, tmp_path: Path) -> None:
    source = f"sqlite:///{tmp_path / 'source.db'}"
    within(source, fill)
    lines = run("export", "--database", source).stdout.splitlines(keepends=True)
    file = tmp_path / "file"
    for what, some, words in spoilt(lines):
        file.write_text("".join(some))
        done = run("import", str(file), "--database", database_url)
        assert (done.exit_code, words in done.output) == (4, True), (what, done.output)
    file.write_text("".join(lines))
    assert run("import", str(file), "--database", database_url).exit_code == 0
    again = run("import", str(file), "--database", database_url)
    assert (again.exit_code, "not empty" in again.output) == (4, True)


def test_migrating_says_from_where_to_where(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    first = run("migrate", "--database", url)
    assert (first.exit_code, "From nothing to revision 0" in first.stdout) == (0, True)
    assert "at the newest revision" in run("migrate", "--database", url).stdout


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database_url: str) -> None:
    def newer(connection: Connection) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    within(database_url, fill, newer)
    done = run("migrate", "--database", database_url)
    assert (done.exit_code, "newer Shopwatch (its revision is 9999" in done.output) == (2, True)
    assert run("export", "--database", database_url).exit_code == 4


@pytest.mark.anyio
@ONLY_SQLITE
async def test_a_running_database_is_backed_up_and_the_copy_opens(
    desk: Desk, tmp_path: Path, settings: Settings, clock: Clock
) -> None:
    await desk.intake([firing("payment")], "prober")
    await desk.cycle(clock())
    url, copy = str(desk.database.url), tmp_path / "copy.db"
    assert run("backup", str(copy), "--database", url).exit_code == 0
    await desk.intake([firing("login")], "prober")  # and the daemon goes on
    assert run("backup", str(copy), "--database", url).exit_code == 4, "it is there already"
    assert run("migrate", "--database", url).exit_code == 2, "the daemon holds it"
    restored = Desk(f"sqlite:///{copy}", settings, clock)
    await restored.start()
    assert [alert.service for alert in await restored.alerts()] == ["payment"]
    assert await restored.timeline(1) == await desk.timeline(1)
    await restored.close()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_postgresql_is_backed_up_by_its_own_program(tmp_path: Path) -> None:
    done = run("backup", str(tmp_path / "x"), "--database", "postgresql://shopwatch@db.example/shopwatch")
    assert (done.exit_code, "pg_dump" in done.output) == (2, True)


@pytest.mark.anyio
async def test_a_list_that_departs_from_the_record_is_found_and_made_anew(desk: Desk, clock: Clock) -> None:
    for title in ("One", "Two"):
        await desk.perform("open", None, RESPONDER, {"title": title})
    url = str(desk.database.url)
    assert run("check", "--database", url).stdout == "The database is well.\n"

    def spoil(connection: Connection) -> None:
        state = connection.execute(select(incidents.c.state).where(incidents.c.number == 1)).scalar_one()
        spoilt = {**state, "title": "Else"}
        connection.execute(update(incidents).where(incidents.c.number == 1).values(state=spoilt))

    await desk.database.write(spoil)
    await desk.close()
    done = run("check", "--json", "--database", url)
    assert (done.exit_code, json.loads(done.stdout)) == (1, ["#1 is listed otherwise than its record says"])
    assert run("check", "--rebuild", "--database", url).exit_code == 0


def test_a_gap_in_the_record_is_found(database_url: str) -> None:
    def gap(connection: Connection) -> None:
        row = {"incident": 1, "seq": 2, "at": START, "actor": "x", "kind": "note", "text": "", "data": {}}
        connection.execute(insert(events), row)

    within(database_url, gap)
    done = run("check", "--database", database_url)
    assert (done.exit_code, "#1 has a record, and is not listed" in done.stdout) == (1, True)


@ONLY_SQLITE
def test_a_damaged_file_is_found(database_url: str) -> None:
    within(database_url, fill)
    path = Path(database_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = bytearray(path.read_bytes())
    for page in range(2 * 4096, len(whole), 4096):
        whole[page : page + 64] = b"\xff" * 64
    path.write_bytes(whole)
    assert run("check", "--database", database_url).exit_code != 0


def test_a_database_that_is_not_there_is_said_to_be_missing_and_not_made(tmp_path: Path) -> None:
    for words in (["export"], ["check"], ["backup", str(tmp_path / "b")]):
        done = run(*words, "--database", f"sqlite:///{tmp_path / 'none.db'}")
        assert (done.exit_code, "there is no database" in done.output) == (4, True)
    assert list(tmp_path.iterdir()) == []
