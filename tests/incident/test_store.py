import asyncio
import os
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, select, text

from incident.core.folding import Draft
from incident.desk import Desk
from incident.errors import Conflict, NotFound, Refused, StoreFull, StoreUnavailable
from incident.settings import Settings
from incident.store import incidents as incident_store
from incident.store.database import Database
from incident.store.tables import channel_refs, metadata
from tests.incident.conftest import ONLY_SQLITE, RESPONDER, START, Clock, firing

pytestmark = pytest.mark.anyio


async def test_the_migrations_make_the_tables_that_the_program_uses(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert await database.read(differences) == []


@ONLY_SQLITE
async def test_the_file_is_for_its_owner_alone(database: Database, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "kept" / "shopwatch.db").stat().st_mode) == 0o600


@ONLY_SQLITE
async def test_every_commit_is_synced_to_the_disk(database: Database) -> None:
    def pragmas(connection: Connection) -> tuple[object, object]:
        return connection.execute(text("PRAGMA synchronous")).scalar(), connection.execute(
            text("PRAGMA journal_mode")
        ).scalar()

    assert await database.write(pragmas) == (2, "wal")


def channels(connection: Connection) -> list[str]:
    return sorted(connection.execute(select(channel_refs.c.channel)).scalars())


async def test_jobs_that_wait_together_share_a_commit_and_one_that_fails_loses_only_itself(database: Database) -> None:
    held = threading.Event()
    commits: list[int] = []

    def hold(connection: Connection) -> None:
        held.wait(60)

    def bad(connection: Connection) -> None:
        connection.execute(insert(channel_refs).values({"channel": "bad", "incident": 1, "data": {}}))
        raise Refused("no")

    def good(name: str) -> asyncio.Task[None]:
        def job(connection: Connection) -> None:
            transaction = connection.get_transaction()
            commits.append(id(transaction))
            connection.execute(insert(channel_refs).values({"channel": name, "incident": 1, "data": {}}))

        return asyncio.create_task(database.write(job))

    first = asyncio.create_task(database.write(hold))
    await asyncio.sleep(0.05)
    tasks = [good("a"), asyncio.create_task(database.write(bad)), good("b")]
    await asyncio.sleep(0.05)
    held.set()
    done = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert isinstance(done[2], Refused)
    assert await database.read(channels) == ["a", "b"]
    assert len(set(commits)) == 1


async def test_a_row_that_cannot_be_is_its_own_jobs_fault_and_no_trouble_of_the_database(database: Database) -> None:
    def job(name: str | None, number: int = 1) -> Callable[[Connection], None]:
        row: dict[str, object] = {"channel": name, "incident": number, "data": {}}
        return lambda connection: connection.execute(insert(channel_refs).values(row)).close()

    done = await asyncio.gather(
        database.write(job("a")), database.write(job(None)), database.write(job("b")), return_exceptions=True
    )
    assert [type(one) for one in done] == [type(None), Refused, type(None)]
    with pytest.raises(Refused, match="cannot hold this"):
        await database.write(job("a"))
    assert await database.read(channels) == ["a", "b"]
    assert database.trouble is None


async def test_text_that_postgresql_cannot_hold_is_stored_with_a_mark_in_its_place(desk: Desk) -> None:
    await desk.perform("open", None, RESPONDER, {"title": "One"})
    words = "a\x00b\ud800c"

    def job(connection: Connection) -> None:
        connection.execute(insert(channel_refs).values({"channel": words, "incident": 1, "data": {"said": words}}))

    if desk.database.sole:
        words = "a\x00b"
    await desk.database.write(job)
    [kept] = await desk.database.read(channels)
    assert kept == ("a\x00b" if desk.database.sole else "a\ufffdb?c")


async def test_a_number_that_no_incident_can_have_is_simply_not_found(desk: Desk) -> None:
    for number in (2**31, 2**70):
        with pytest.raises(NotFound):
            await desk.incident(number)
        with pytest.raises(NotFound):
            await desk.timeline(number)
        with pytest.raises(NotFound):
            await desk.perform("note", number, RESPONDER, {"text": "x"})


async def test_two_who_append_the_same_event_are_told_apart(database: Database) -> None:
    def opened(connection: Connection) -> None:
        draft = Draft([], 1, START)
        draft.open("One", {"service": "login", "severity": "SEV2"})
        incident_store.append(connection, draft.events, draft.incidents)

    await database.write(opened)
    seen = await database.read(lambda connection: incident_store.find(connection, 1))

    def note(words: str) -> Callable[[Connection], None]:
        def job(connection: Connection) -> None:
            draft = Draft([seen], 0, START)
            draft.add(1, "note", words)
            incident_store.append(connection, draft.events, draft.incidents)

        return job

    await database.write(note("first"))
    with pytest.raises(Conflict, match="just been changed"):
        await database.write(note("second"))
    events = await database.read(lambda connection: incident_store.timeline(connection, 1))
    assert [event.text for event in events] == ["One", "first"]


@ONLY_SQLITE
async def test_a_full_disk_refuses_what_comes_keeps_what_is_there_and_recovers(desk: Desk, clock: Clock) -> None:
    await desk.intake([firing("payment")], "prober")

    def shrink(connection: Connection) -> None:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    await desk.database.write(shrink)
    with pytest.raises(StoreFull, match="no room"):
        for number in range(50):
            await desk.intake([firing("login", note="x" * 4000, number=str(number))], "prober")
    assert "payment" in [alert.service for alert in await desk.alerts()]

    await desk.database.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=100000"))
    await desk.intake([firing("catalog")], "prober")
    assert "catalog" in [alert.service for alert in await desk.alerts()]


async def test_instants_come_back_in_utc_from_any_zone(desk: Desk, clock: Clock) -> None:
    clock.now = datetime(2026, 3, 1, 18, 0, tzinfo=timezone(timedelta(hours=8)))
    await desk.perform("open", None, RESPONDER, {"title": "One"})
    event = (await desk.timeline(1))[0]
    assert (event.at, event.at.tzinfo) == (datetime(2026, 3, 1, 10, 0, tzinfo=UTC), UTC)


async def test_a_closed_database_says_so(tmp_path: Path, settings: Settings) -> None:
    desk = Desk(f"sqlite:///{tmp_path / 'a.db'}", settings)
    with pytest.raises(StoreUnavailable, match="closed"):
        await desk.incidents()


async def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(os.urandom(8192))
    desk = Desk(f"sqlite:///{path}", settings)
    with pytest.raises(StoreUnavailable, match="not a database"):
        await desk.start()
    path.unlink()
    await desk.start()  # and nothing holds the file any more
    await desk.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("operator:s3cret@db.example", "no SQLAlchemy URL"),
        ("postgresql://operator:s3cret@db.example:port/x", "no SQLAlchemy URL"),
        ("nosuch://operator:s3cret@db.example/x", "no driver for 'nosuch'"),
    ],
)
async def test_an_address_of_no_database_is_said_plainly_and_without_its_password(
    url: str, words: str, settings: Settings
) -> None:
    with pytest.raises(StoreUnavailable, match=words) as caught:
        await Desk(url, settings).start()
    assert "s3cret" not in str(caught.value)
