"""The engine's memory of the open incidents says what the database says, whoever has changed it."""

import pytest

from incident.desk import Desk
from incident.store import incidents as incident_store
from incident.store.open_shelf import OpenShelf
from tests.incident.conftest import RESPONDER, Clock, firing

pytestmark = pytest.mark.anyio


async def listed(desk: Desk, shelf: OpenShelf) -> list[int]:
    """Their numbers, after seeing that each is as the database has it."""
    known = await desk.database.write(shelf.listed)
    assert known == await desk.database.read(incident_store.list_open)
    return [one.number for one in known]


async def test_it_follows_what_people_and_alerts_do(desk: Desk, clock: Clock) -> None:
    shelf = OpenShelf()
    assert await listed(desk, shelf) == []
    await desk.intake([firing("payment"), firing("catalog")], "prometheus")
    await desk.cycle(clock())
    assert await listed(desk, shelf) == [1, 2]
    await desk.perform("note", 1, RESPONDER, {"text": "looking"})
    await desk.perform("resolve", 2, RESPONDER, {})
    assert await listed(desk, shelf) == [1]
    await desk.perform("reopen", 2, RESPONDER, {})
    assert await listed(desk, shelf) == [1, 2]


async def test_what_it_holds_is_not_read_again(desk: Desk, clock: Clock) -> None:
    await desk.intake([firing("payment")], "prometheus")
    await desk.cycle(clock())
    shelf = OpenShelf()
    first = await desk.database.write(shelf.listed)
    again = await desk.database.write(shelf.listed)
    assert [one is other for one, other in zip(first, again, strict=True)] == [True]


async def test_after_a_transaction_that_came_to_nothing_it_is_as_if_that_had_never_been(
    desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.intake([firing("payment")], "prometheus")
    await desk.cycle(clock())

    def breaks(*_: object) -> None:
        raise OSError("after everything was decided")

    monkeypatch.setattr("incident.daemon.engine.next_reminder", breaks)
    await desk.intake([firing("payment", name="Second")], "prometheus")
    with pytest.raises(OSError, match="after everything"):
        await desk.cycle(clock())
    monkeypatch.undo()
    await desk.perform("note", 1, RESPONDER, {"text": "takes the number that the lost event had"})
    await desk.cycle(clock())
    kinds = [event.kind for event in await desk.timeline(1)]
    assert kinds[-2:] == ["note", "alert"]
    assert len((await desk.incident(1)).alerts) == 2
