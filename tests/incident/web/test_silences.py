import json
from datetime import timedelta
from typing import Any

import pytest

from incident.desk import Desk
from incident.settings import Settings
from incident.silences.keeping import RETENTION
from tests.incident.conftest import SHOP, START, Clock, firing, over
from tests.incident.web.conftest import MORE, Connect

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}


def silence(*, minutes: float = 60, service: str = "payment", **more: Any) -> dict[str, Any]:
    return {
        "matchers": [{"name": "service", "value": service, "isRegex": False}],
        "startsAt": START.isoformat(),
        "endsAt": (START + timedelta(minutes=minutes)).isoformat(),
        "createdBy": "mara",
        "comment": "the provider migrates",
        **more,
    }


async def test_a_silence_comes_back_in_alertmanagers_shape_and_holds_back_at_once(connect: Connect, desk: Desk) -> None:
    client = connect()
    await desk.intake([firing("payment"), firing("login")], "test")
    made = await client.post("/api/v2/silences", json=silence())
    assert (made.status_code, list(made.json())) == (200, ["silenceID"])
    found = (await client.get(f"/api/v2/silence/{made.json()['silenceID']}")).json()
    assert found == {
        "id": made.json()["silenceID"],
        "status": {"state": "active"},
        "updatedAt": "2026-03-01T09:00:00.000Z",
        "annotations": {},
        "comment": "the provider migrates",
        "createdBy": "mara",
        "endsAt": "2026-03-01T10:00:00.000Z",
        "matchers": [{"isEqual": True, "isRegex": False, "name": "service", "value": "payment"}],
        "startsAt": "2026-03-01T09:00:00.000Z",
    }
    states = {one["labels"]["service"]: one["status"] for one in (await client.get("/api/v2/alerts")).json()}
    assert states["payment"] == {"state": "suppressed", "silencedBy": [found["id"]], "inhibitedBy": [], "mutedBy": []}
    assert states["login"]["state"] == "active"
    [shown] = (await client.get("/api/v2/alerts?silenced=false")).json()
    assert shown["labels"]["service"] == "login"
    [group] = (await client.get("/api/v2/alerts/groups?muted=false")).json()
    assert group["labels"] == {"service": "login"}


async def test_silences_stand_in_order_and_are_filtered_by_state_and_matcher(connect: Connect, clock: Clock) -> None:
    client = connect()
    later = (START + timedelta(hours=2)).isoformat()
    for comment, more in (
        ("long", {"minutes": 90}),
        ("short", {"minutes": 30, "service": "login"}),
        ("over", {"minutes": 1}),
        ("to come", {"minutes": 300, "startsAt": later}),
    ):
        await client.post("/api/v2/silences", json=silence(**more, comment=comment))
    clock.forward(minutes=2)

    async def comments(query: str) -> list[str]:
        return [one["comment"] for one in (await client.get(f"/api/v2/silences{query}")).json()]

    assert await comments("") == ["short", "long", "to come", "over"]
    assert await comments("?expired=false&pending=false") == ["short", "long"]
    assert await comments("?active=false") == ["to come", "over"]
    assert await comments("?filter=service%3Dlogin") == ["short"]
    assert await comments("?filter=service%3D~login") == []
    assert (await client.get("/api/v2/silences?filter=nonsense")).status_code == 400


async def test_a_change_keeps_the_id_and_another_one_ends_the_old(connect: Connect) -> None:
    client = connect()
    first = (await client.post("/api/v2/silences", json=silence())).json()["silenceID"]
    same = await client.post("/api/v2/silences", json=silence(minutes=90, id=first))
    assert same.json()["silenceID"] == first
    other = (await client.post("/api/v2/silences", json=silence(service="login", id=first))).json()["silenceID"]
    assert other != first
    assert (await client.get(f"/api/v2/silence/{first}")).json()["status"] == {"state": "expired"}


async def test_one_that_is_ended_twice_is_ended(connect: Connect) -> None:
    client = connect()
    made = (await client.post("/api/v2/silences", json=silence())).json()["silenceID"]
    for _ in range(2):
        ended = await client.delete(f"/api/v2/silence/{made}")
        assert (ended.status_code, ended.content) == (200, b"")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_silence_that_is_not_there(connect: Connect, method: str) -> None:
    client = connect()
    unknown = await client.request(method, "/api/v2/silence/11111111-1111-1111-1111-111111111111")
    assert unknown.status_code == 404
    wrong = await client.request(method, "/api/v2/silence/12")
    assert (wrong.status_code, wrong.json()["code"]) == (422, 601)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 422, "silence in body is required"),
        (b"null", 422, "comment in body is required"),
        (b"[]", 400, "parsing silence body"),
        (b"{", 400, "parsing silence body"),
        (b"[" * 100_000, 400, "nested deeper"),
        (b"\xff", 400, "parsing silence body"),
    ],
    ids=["empty", "null", "array", "cut", "deep", "bytes"],
)
async def test_what_is_no_silence_is_told_in_the_manner_of_go_openapi(
    connect: Connect, body: bytes, status: int, words: str
) -> None:
    response = await connect().post("/api/v2/silences", content=body, headers=JSON)
    assert response.status_code == status and words in response.json()["message"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"matchers": []}, 422),
        ({"matchers": [{"name": "a", "value": "b"}]}, 422),
        ({"comment": None}, 422),
        ({"matchers": [{"name": "a", "value": "(", "isRegex": True}]}, 400),
        ({"matchers": [{"name": "a", "value": "\ud800", "isRegex": False}]}, 400),
        ({"comment": "\ud800"}, 400),
        ({"annotations": {"\ud800": "x"}}, 400),
        ({"startsAt": "soon"}, 400),
        ({"comment": 5}, 400),
        ({"id": "unknown"}, 404),
        ({"annotations": {"shopwatch/cron": "never", "shopwatch/for": "1h"}}, 400),
        ({"annotations": {"shopwatch/cron": "0 2 * * *"}}, 400),
        ({"annotations": {"shopwatch/cron": "0 2 * * *", "shopwatch/for": "1h", "shopwatch/time_zone": "Mars"}}, 400),
    ],
    ids=lambda value: ascii(value)[:40] if isinstance(value, dict) else "",
)
async def test_a_silence_that_cannot_be_is_refused(connect: Connect, change: dict[str, Any], status: int) -> None:
    body = json.dumps(silence(**change))
    assert (await connect().post("/api/v2/silences", content=body, headers=JSON)).status_code == status


async def test_one_that_recurs_shows_its_next_window_and_can_be_sent_back(
    connect: Connect, desk: Desk, clock: Clock
) -> None:
    client = connect()
    again = {"shopwatch/cron": "0 2 * * *", "shopwatch/for": "1h30m", "why": "backup"}
    made = (await client.post("/api/v2/silences", json=silence(annotations=again))).json()["silenceID"]
    found = (await client.get(f"/api/v2/silence/{made}")).json()
    assert found["status"] == {"state": "pending"}
    assert (found["startsAt"], found["endsAt"]) == ("2026-03-02T01:00:00.000Z", "2026-03-02T02:30:00.000Z")  # Berlin
    assert found["annotations"] == {**again, "shopwatch/time_zone": "Europe/Berlin"}
    clock.now = START + timedelta(hours=16, minutes=5)
    await desk.intake([firing("payment", clock())], "test")
    await desk.cycle(clock())
    assert await desk.incidents() == []
    assert (await client.post("/api/v2/silences", json=found)).json()["silenceID"] == made
    without = {**found, "annotations": {}}
    assert (await client.post("/api/v2/silences", json=without)).status_code == 400


async def test_a_responder_may_silence_and_a_viewer_not(connect: Connect, tokens: dict[str, str], desk: Desk) -> None:
    assert (await connect(tokens["viewer"]).post("/api/v2/silences", json=silence())).status_code == 403
    made = await connect(tokens["responder"]).post("/api/v2/silences", json=silence(createdBy=""))
    whole = made.json()["silenceID"]
    assert (await connect(tokens["viewer"]).delete(f"/api/v2/silence/{whole}")).status_code == 403
    found = (await connect(tokens["viewer"]).get(f"/api/v2/silence/{whole}")).json()
    assert found["createdBy"] == "a-responder"
    assert (await connect(tokens["source"]).delete(f"/api/v2/silence/{whole}")).status_code == 200
    record = (await connect(tokens["viewer"]).get(f"/api/v1/muting/silences/{whole}")).json()
    assert [(one["kind"], one["actor"]) for one in record] == [("created", "a-responder"), ("expired", "prometheus")]
    assert (await connect(tokens["source"]).get(f"/api/v1/muting/silences/{whole}")).status_code == 403


async def test_an_open_incident_hears_of_its_silence_and_that_it_is_about_to_end(
    connect: Connect, desk: Desk, clock: Clock
) -> None:
    alert = firing("payment")
    await desk.intake([over(alert, START + timedelta(hours=3)), firing("login")], "test")
    await desk.cycle(clock())
    client = connect()
    made = (await client.post("/api/v2/silences", json=silence())).json()["silenceID"]
    clock.forward(minutes=44)
    due = await desk.cycle(clock())
    assert due is not None and due <= START + timedelta(minutes=45)
    clock.forward(minutes=2)
    for _ in range(2):
        await desk.cycle(clock())
    await client.delete(f"/api/v2/silence/{made}")
    [concerned] = [one for one in await desk.incidents() if one.service == "payment"]
    said = [event for event in await desk.timeline(concerned.number) if event.kind.startswith("silence")]
    assert [event.kind for event in said] == ["silenced", "silence_ending", "silence_ended"]
    assert said[0].text == 'loopback silenced service="payment" until 2026-03-01 10:00 UTC: the provider migrates'
    [other] = [one for one in await desk.incidents() if one.service == "login"]
    assert not [event for event in await desk.timeline(other.number) if event.kind.startswith("silence")]


async def test_expired_ones_are_kept_for_five_days(connect: Connect, desk: Desk, clock: Clock) -> None:
    client = connect()
    for _ in range(2):
        await client.post("/api/v2/silences", json=silence(minutes=1))
    clock.forward(minutes=1 + RETENTION / timedelta(minutes=1) - 1)
    await desk.cycle(clock())
    assert len((await client.get("/api/v2/silences")).json()) == 2
    clock.forward(minutes=2)
    desk.cycling._pruned = float("-inf")  # an hour has passed on the other clock
    await desk.cycle(clock())
    assert len((await client.get("/api/v2/silences")).json()) == 1  # the newest keeps the count of changes


async def test_maintenance_is_listed_and_announced(connect: Connect, desk: Desk, tokens: dict[str, str]) -> None:
    windows = [
        {"name": "Move", "services": ["payment", "ledger"], "from": "2026-03-01T09:30", "to": "2026-03-01T11:00"},
        {"name": "Books", "services": ["ledger"], "cron": "0 2 * * *", "for": "1h"},
        {"name": "Past", "services": ["payment"], "from": "2026-02-01T09:30", "to": "2026-02-01T11:00"},
    ]
    await desk.reload(Settings.model_validate({**SHOP, **MORE, "maintenance": windows}))
    listed = (await connect(tokens["viewer"]).get("/api/v1/maintenance")).json()
    assert [(one["name"], one["open"]) for one in listed] == [("Move", True), ("Books", False)]
    document = (await connect().get("/api/v2/scheduled-maintenances.json")).json()
    [one] = document["scheduled_maintenances"]
    assert (one["name"], one["status"], one["impact"]) == ("Move", "in_progress", "maintenance")
    assert [part["name"] for part in one["components"]] == ["Payment"]
    assert one["scheduled_until"] == "2026-03-01T10:00:00.000+00:00"
