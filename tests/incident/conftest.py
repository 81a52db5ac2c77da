"""A small shop, a desk on a database of its own, and a clock that the test sets.

Whatever asks for `database_url`, or for the `desk` on top of it, runs on SQLite and on PostgreSQL; in `web` and `chat`,
which know nothing of databases, on SQLite alone.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from incident.core.actor import Actor, Role
from incident.desk import Desk
from incident.settings import Settings
from incident.store.database import Database
from probes.alert import Alert
from tests.postgresql import Server

ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ONLY_POSTGRESQL = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))], indirect=True
)
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
RESPONDER = Actor("mara", Role.RESPONDER, via="cli")
VIEWER = Actor("guest", Role.VIEWER)

SHOP: dict[str, Any] = {
    "shop": {"name": "Example Shop"},
    "services": {
        "login": {"title": "Sign-in"},
        "catalog": {"title": "Catalogue"},
        "cart": {"title": "Basket", "needs": ["catalog"]},
        "checkout": {"title": "Checkout", "needs": ["login", "cart"]},
        "payment": {"title": "Payment"},
    },
    "channels": {"terminal": {"console": True}, "hook": {"webhook": "http://127.0.0.1:9/ops"}},
    "routes": [{"match": ['severity=~"SEV1|SEV2"'], "channels": ["hook"]}, {"channels": ["terminal"]}],
}


@dataclass
class Clock:
    now: datetime = field(default=START)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **time: float) -> datetime:
        self.now += timedelta(**time)
        return self.now


def firing(
    service: str, now: datetime = START, name: str = "JourneyDown", severity: str = "SEV2", **labels: str
) -> Alert:
    """As a source sends it: begun now, good for five minutes."""
    return Alert(
        labels={"alertname": name, "service": service, "severity": severity, **labels},
        annotations={"summary": f"{service} is down"},
        starts_at=now,
        ends_at=now + timedelta(minutes=5),
    )


def over(alert: Alert, now: datetime) -> Alert:
    return Alert(alert.labels, alert.starts_at, now, alert.annotations)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings() -> Settings:
    return Settings.model_validate(SHOP)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" not in metafunc.fixturenames:
        return
    if any(mark.args[0] == "database_url" for mark in metafunc.definition.iter_markers("parametrize")):
        return
    databases = [pytest.param("sqlite")]
    if metafunc.module.__name__.split(".")[2] not in ("web", "chat"):
        databases.append(pytest.param("postgresql", marks=pytest.mark.needs("postgresql")))
    metafunc.parametrize("database_url", databases, indirect=True)


@pytest.fixture(scope="session")
def migrated(postgresql: Server) -> str:
    """The name of a PostgreSQL database with the tables in it, to be copied."""
    name = postgresql.create()
    database = Database(postgresql.url(name))
    database.open()
    database.close()
    return name


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of the test's own."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'kept' / 'shopwatch.db'}"
        return
    server: Server = request.getfixturevalue("postgresql")
    name = server.create(request.getfixturevalue("migrated"))
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Open, with its tables."""
    made = Database(database_url)
    made.open()
    yield made
    made.close()


@pytest.fixture
async def desk(database_url: str, settings: Settings, clock: Clock) -> AsyncIterator[Desk]:
    made = Desk(database_url, settings, clock, lambda labels: [f"{labels['service']}-failure"])
    await made.start()
    yield made
    await made.close()
