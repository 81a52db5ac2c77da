"""The demo's live screen on terminals of all sizes."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from drills.demo import screen
from drills.watch import Json, Snapshot

AT = "2026-03-01T12:00:00+00:00"


def _snapshot(events: int) -> Snapshot:
    journeys: list[Json] = [
        {"journey": name, "outcome": "up", "duration_s": 0.1, "started_at": AT, "steps": []}
        for name in ("catalogue", "checkout", "login", "logistics-sync", "payment")
    ]
    incident: Json = {"number": 1, "severity": "SEV2", "status": "monitoring", "title": "支付失败 payment is down"}
    timeline: list[Json] = [
        {"seq": n, "at": AT, "actor": "shopwatch", "kind": "note", "text": f"event {n}"} for n in range(events)
    ]
    return Snapshot(datetime.now(UTC), journeys, [], [incident], {1: timeline})


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 24), (200, 50), (40, 30)])
def test_the_newest_event_shows_whatever_the_size_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch, width: int, height: int
) -> None:
    def console(**more: Any) -> Console:
        return Console(file=io.StringIO(), force_terminal=True, width=width, height=height, **more)

    monkeypatch.setattr(screen, "Console", console)
    view = screen.LiveScreen()
    try:
        view.show(_snapshot(40))
    finally:
        written = view._console.file.getvalue()  # type: ignore[attr-defined]
        view.close()
    assert "event 39" in written
    assert "支付失败" in written
