"""A small shop, a desk on a database of its own, and a clock that the test sets."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from incident.core.actor import Actor, Role
from incident.desk import Desk
from incident.settings import Settings
from probes.alert import Alert

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


@pytest.fixture
async def desk(tmp_path: Path, settings: Settings, clock: Clock) -> AsyncIterator[Desk]:
    made = Desk(
        f"sqlite:///{tmp_path / 'shopwatch.db'}", settings, clock, lambda labels: [f"{labels['service']}-failure"]
    )
    await made.start()
    yield made
    await made.close()
