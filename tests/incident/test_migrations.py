"""What an earlier version kept is there after an upgrade. `data/revision_0001.jsonl` was written by that version."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, DateTime, MetaData, Table, insert

from incident.core.deliveries import Message
from incident.core.folding import fold
from incident.daemon.outbox import Outbox
from incident.desk import Desk
from incident.settings import Settings
from incident.store.database import Database
from incident.store.engines import is_sqlite, writing
from incident.store.migrate import config
from tests.incident.conftest import RESPONDER, Clock
from tests.postgresql import Server

pytestmark = pytest.mark.anyio
DATA = Path(__file__).parent / "data"
BOTH = [pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))]


@pytest.fixture(params=BOTH)
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with nothing in it, not even tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'old.db'}"
        return
    server: Server = request.getfixturevalue("postgresql")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def yesterday() -> str:
    return f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"


@pytest.fixture
def old(bare: str, yesterday: str) -> str:
    """The database as the first version left it, a day ago."""
    lines = (DATA / "revision_0001.jsonl").read_text(encoding="utf-8").replace("2026-03-01", yesterday).splitlines()
    url = Database(bare).url
    engine = writing(url)
    with engine.begin() as connection:
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "0001")
        tables = MetaData()
        tables.reflect(connection)
        for line in lines:
            document = json.loads(line)
            table = tables.tables[document["table"]]
            connection.execute(insert(table).values(_raw(table, document["row"], is_sqlite(url))))
        _count_on(connection, tables)
    engine.dispose()
    return bare


def _raw(table: Table, row: dict[str, Any], naive: bool) -> dict[str, Any]:
    def value(name: str, kept: Any) -> Any:
        if kept is None or not isinstance(table.c[name].type, DateTime):
            return kept
        instant = datetime.fromisoformat(kept)
        return instant.replace(tzinfo=None) if naive else instant

    return {name: value(name, kept) for name, kept in row.items()}


def _count_on(connection: Connection, tables: MetaData) -> None:
    if connection.dialect.name != "postgresql":
        return
    for table, column in (("events", "id"), ("deliveries", "id"), ("drills", "number")):
        highest = f"(SELECT max({column}) FROM {table})"
        connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), {highest})")


class Sent:
    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    async def close(self) -> None:
        return


async def test_a_database_of_the_first_version_is_upgraded_with_all_that_is_in_it(
    old: str, yesterday: str, settings: Settings
) -> None:
    clock = Clock(datetime.fromisoformat(f"{yesterday}T09:04:00+00:00"))
    desk = Desk(old, settings, clock)
    await desk.start()
    try:
        assert desk.database.revisions[0] == "0001"
        first, second = await desk.incident(1), await desk.incident(2)
        assert (first.title, first.status, first.roles) == ("login is down", "resolved", {"commander": "mara"})
        assert (second.status, second.runbooks) == ("monitoring", ("payment-failure",))
        for incident in (first, second):
            assert fold(await desk.timeline(incident.number)) == incident
        assert [alert.labels["note"] for alert in await desk.alerts()] == ["支付 <b>"]
        assert {run["journey"]: run["outcome"] for run in await desk.journeys()} == {"checkout": "up"}
        outcomes = [run["outcome"] for run in (await desk.history.runs("checkout")).runs]
        assert sorted(outcomes) == ["down"] * 2 + ["up"] * 7
        assert (await desk.authenticate("sw_first-version")) is not None
        assert (await desk.drills())[0]["scorecard"] == {"passed": True}
        assert await desk.get_ref("hook", 1) == {"ts": "1.2"}
        sent = Sent()
        await Outbox(desk, {"hook": sent, "terminal": sent}).drain()
        assert {message.key for message in sent.messages} == {"1-8-terminal", "2-6-hook", "1-9-terminal"}
        assert all(message.incident["alerts"] and message.event["kind"] for message in sent.messages)
        await desk.perform("note", 2, RESPONDER, {"text": "goes on"})
        assert [event.seq for event in await desk.timeline(2)] == list(range(1, 8))
    finally:
        await desk.close()


async def test_each_migration_alone_leads_to_where_all_of_them_lead(bare: str) -> None:
    """As for somebody who installs every version: no migration relies on being run together with the next."""
    from alembic.script import ScriptDirectory

    revisions = [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()][::-1]
    engine = writing(Database(bare).url)
    for revision in revisions:
        with engine.begin() as connection:
            settings = config()
            settings.attributes["connection"] = connection
            command.upgrade(settings, revision)
    engine.dispose()
    database = Database(bare)
    database.open()
    assert database.revisions == (revisions[-1], revisions[-1])
    database.close()
