import json
from datetime import timedelta
from typing import Any

import pytest

from incident.desk import Desk
from incident.errors import StoreFull
from incident.settings import Settings
from incident.web.receivers import alertmanager_yaml
from probes.alert import fingerprint
from tests.incident.conftest import START, Clock, firing
from tests.incident.web.conftest import Connect

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
LABELS = {"alertname": "HighLatency", "service": "payment", "severity": "critical"}


def sent(**more: Any) -> dict[str, Any]:
    """As Prometheus sends it."""
    return {
        "labels": LABELS,
        "annotations": {"summary": "slow"},
        "startsAt": "2026-03-01T08:59:00.123Z",
        "endsAt": "2026-03-01T09:04:00.123456789Z",
        "generatorURL": "http://prometheus.example/graph?g0.expr=up",
        **more,
    }


async def test_alerts_of_prometheus_are_answered_with_an_empty_200(connect: Connect, desk: Desk) -> None:
    response = await connect().post("/api/v2/alerts", json=[sent()])
    assert (response.status_code, response.content) == (200, b"")
    assert "content-type" not in response.headers
    assert response.headers["cache-control"] == "no-store"
    [alert] = await desk.alerts()
    assert (dict(alert.labels), alert.source) == (LABELS, "loopback")


async def test_an_alert_comes_back_in_alertmanagers_shape(connect: Connect) -> None:
    client = connect()
    await client.post("/api/v2/alerts", json=[sent()])
    response = await client.get("/api/v2/alerts")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == [
        {
            "annotations": {"summary": "slow"},
            "endsAt": "2026-03-01T09:04:00.123Z",
            "fingerprint": response.json()[0]["fingerprint"],
            "receivers": [{"name": "hook"}],
            "startsAt": "2026-03-01T08:59:00.123Z",
            "status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"},
            "updatedAt": "2026-03-01T09:00:00.000Z",
            "generatorURL": "http://prometheus.example/graph?g0.expr=up",
            "labels": LABELS,
        }
    ]


async def test_no_alerts_are_an_empty_array(connect: Connect) -> None:
    assert (await connect().get("/api/v2/alerts")).json() == []
    assert (await connect().get("/api/v2/alerts/groups")).json() == []


async def test_instants_that_are_missing_are_filled_in(connect: Connect, clock: Clock) -> None:
    client = connect()
    await client.post("/api/v2/alerts", json=[{"labels": {"alertname": "a"}, "startsAt": "0001-01-01T00:00:00Z"}])
    [alert] = (await client.get("/api/v2/alerts")).json()
    assert (alert["startsAt"], alert["endsAt"]) == ("2026-03-01T09:00:00.000Z", "2026-03-01T09:05:00.000Z")
    clock.forward(minutes=6)
    assert (await client.get("/api/v2/alerts")).json() == []


async def test_labels_without_a_value_are_dropped(connect: Connect) -> None:
    client = connect()
    await client.post("/api/v2/alerts", json=[{"labels": {"alertname": "a", "zone": ""}}])
    assert (await client.get("/api/v2/alerts")).json()[0]["labels"] == {"alertname": "a"}


async def test_the_valid_ones_of_a_batch_are_stored_and_the_others_named(connect: Connect, desk: Desk) -> None:
    batch = [
        {"labels": {"alertname": ""}},
        sent(),
        sent(startsAt="2026-03-01T09:00:00Z", endsAt="2026-03-01T08:00:00Z"),
    ]
    response = await connect().post("/api/v2/alerts", json=batch)
    assert response.status_code == 400
    text = response.json()
    assert "at least one label pair" in text and "start time must be before end time" in text
    assert len(await desk.alerts()) == 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 422, "required"),
        (b'[{"annotations": {}}]', 422, "0.labels in body is required"),
        (b'[{"labels": {"a": "b"}, "generatorURL": "no address"}]', 422, "uri"),
        (b"{", 400, "parsing alerts body"),
        (b'{"labels": {"a": "b"}}', 400, "not an array"),
        (b"[3]", 400, "not an object"),
        (b'[{"labels": {"a": 5}}]', 400, "object of strings"),
        (b'[{"labels": {"a": "b"}, "startsAt": "yesterday"}]', 400, "startsAt of alert 0"),
        (b'[{"labels": {"a": "b"}, "endsAt": 12}]', 400, "endsAt of alert 0"),
        (b'[{"labels": {"a": "b"}, "endsAt": "2026-13-01T00:00:00Z"}]', 400, "endsAt of alert 0"),
        (b"[" * 100_000, 400, "deeper"),
        (b"\xff\xfe", 400, "parsing alerts body"),
    ],
)
async def test_what_does_not_fit_the_schema_is_refused_whole(
    connect: Connect, desk: Desk, body: bytes, status: int, words: str
) -> None:
    response = await connect().post("/api/v2/alerts", content=body, headers=JSON)
    assert response.status_code == status
    assert words in response.json()["message"] and isinstance(response.json()["code"], int)
    assert await desk.alerts() == []


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (b"caf\xe9", "caf\ufffd"),
        (b"cut \xe2\x82", "cut \ufffd\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (rb"half \ud83d", "half \ufffd"),
        (rb"whole \ud83d\ude00", "whole \U0001f600"),
    ],
)
async def test_what_is_no_character_is_replaced_as_alertmanager_does_and_costs_no_batch(
    connect: Connect, desk: Desk, raw: bytes, read: str
) -> None:
    """Go's encoding/json writes one U+FFFD for each byte that is none of UTF-8, and for half a surrogate pair."""
    others = b'{"labels": {"alertname": "Well"}}'
    body = b'[%b, {"labels": {"alertname": "Odd", "is": "%b"}, "annotations": {"%b": "x"}}]' % (others, raw, raw)
    assert (await connect().post("/api/v2/alerts", content=body, headers=JSON)).status_code == 200
    found = {alert.labels["alertname"]: alert for alert in await desk.alerts()}
    assert found.keys() == {"Well", "Odd"}
    assert (found["Odd"].labels["is"], list(found["Odd"].annotations)) == (read, [read])
    assert found["Odd"].fingerprint == fingerprint({"alertname": "Odd", "is": read})


async def test_what_alertmanager_makes_sense_of_is_taken_with_the_same_sense(connect: Connect, clock: Clock) -> None:
    """An instant without a zone is UTC, and a label that is null is none."""
    client = connect()
    starts, ends = START.replace(tzinfo=None), (START + timedelta(hours=1)).replace(tzinfo=None)
    alert = {"labels": {"alertname": "a", "gone": None}, "startsAt": starts.isoformat(), "endsAt": ends.isoformat()}
    assert (await client.post("/api/v2/alerts", json=[alert])).status_code == 200
    [shown] = (await client.get("/api/v2/alerts")).json()
    assert shown["labels"] == {"alertname": "a"}
    assert shown["endsAt"] == f"{ends.isoformat()}.000Z"


async def test_null_and_an_empty_batch_are_fine(connect: Connect) -> None:
    for body in (b"null", b"[]"):
        assert (await connect().post("/api/v2/alerts", content=body, headers=JSON)).status_code == 200


async def test_labels_without_bounds_are_refused(connect: Connect) -> None:
    many = {f"label{n}": "x" for n in range(100)}
    response = await connect().post("/api/v2/alerts", json=[{"labels": many}, {"labels": {"a": "x" * 20_000}}])
    assert response.status_code == 400
    assert "100 labels" in response.json() and "too long" in response.json()


async def test_a_full_disk_refuses_with_503_so_that_the_sender_tries_again(
    connect: Connect, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise StoreFull("the disk is full")

    monkeypatch.setattr(desk, "intake", full)
    response = await connect().post("/api/v2/alerts", json=[sent()])
    assert (response.status_code, response.json()) == (503, "the disk is full")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a", "b", "c"]),
        ("?filter=alertname%3D%22a%22", ["a"]),
        ("?filter=service%3Dpayment&filter=alertname!%3Db", ["a"]),
        ("?filter=service%3D~pay.*", ["a", "b"]),
        ("?filter=region%3D%22%22&filter=alertname%3Dc", ["c"]),
        ("?active=false", []),
        ("?active=true&inhibited=false&silenced=false&unprocessed=false", ["a", "b", "c"]),
        ("?receiver=hook", ["a", "b"]),
        ("?receiver=hoo", []),
        ("?receiver=hook|terminal", ["a", "b", "c"]),
    ],
)
async def test_alerts_are_filtered_as_asked(connect: Connect, desk: Desk, query: str, names: list[str]) -> None:
    alerts = [firing("payment", name="a"), firing("payment", name="b"), firing("login", name="c", severity="SEV3")]
    await desk.intake(alerts, "test")
    found = (await connect().get(f"/api/v2/alerts{query}")).json()
    assert sorted(alert["labels"]["alertname"] for alert in found) == names
    assert [alert["fingerprint"] for alert in found] == sorted(alert["fingerprint"] for alert in found)


@pytest.mark.parametrize("query", ["filter=nonsense", "filter=a%3D~(", "filter={a%3Db}", "receiver=("])
async def test_a_bad_filter_is_a_400_with_a_json_string(connect: Connect, query: str) -> None:
    for path in ("/api/v2/alerts", "/api/v2/alerts/groups"):
        response = await connect().get(f"{path}?{query}")
        assert response.status_code == 400
        assert isinstance(response.json(), str)


async def test_groups_hold_the_alerts_of_each_service_and_receiver(connect: Connect, desk: Desk) -> None:
    await desk.intake([firing("payment"), firing("login", severity="SEV3")], "test")
    groups = (await connect().get("/api/v2/alerts/groups")).json()
    assert [(group["labels"]["service"], group["receiver"]["name"]) for group in groups] == [
        ("login", "terminal"),
        ("payment", "hook"),
    ]
    assert groups[1]["alerts"][0]["labels"]["service"] == "payment"
    assert all(group["routeLabels"] == {} for group in groups)


async def test_status_has_every_key_that_clients_read(connect: Connect) -> None:
    status = (await connect().get("/api/v2/status")).json()
    assert status["cluster"] == {"status": "disabled", "peers": []}
    assert set(status["versionInfo"]) == {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}
    assert status["uptime"] == "2026-03-01T09:00:00.000Z"
    assert json.loads(status["config"]["original"])["route"]["receiver"] == "console"


async def test_receivers_are_the_channels_of_the_routes(connect: Connect) -> None:
    names = [receiver["name"] for receiver in (await connect().get("/api/v2/receivers")).json()]
    assert names == ["console", "hook", "terminal"]  # what no route claims goes to the console


async def test_the_old_api_is_gone_and_says_so(connect: Connect) -> None:
    for path in ("alerts", "status", "receivers", "silences", "silence/1", "alerts/groups"):
        response = await connect().get(f"/api/v1/{path}")
        assert response.status_code == 410
        assert response.json()["status"] == "deprecated"


async def test_a_viewer_may_look_at_alerts_but_not_send_any(connect: Connect, tokens: dict[str, str]) -> None:
    assert (await connect(tokens["viewer"]).get("/api/v2/alerts")).status_code == 200
    assert (await connect(tokens["viewer"]).post("/api/v2/alerts", json=[sent()])).status_code == 403
    assert (await connect(tokens["responder"]).post("/api/v2/alerts", json=[sent()])).status_code == 200


def test_the_routing_tree_is_written_as_alertmanager_writes_it() -> None:
    settings = Settings.model_validate(
        {
            "shop": {"name": "Shop"},
            "services": {"login": {"title": "Sign-in"}},
            "channels": {"a": {"console": True}, "b": {"console": True}},
            "routes": [
                {
                    "match": ['severity="SEV1"'],
                    "channels": ["a", "b"],
                    "routes": [{"match": ["team=x"], "channels": ["b"]}],
                },
                {"match": ["team=y"], "channels": ["a", "b"]},
            ],
        }
    )
    written = json.loads(alertmanager_yaml(settings))
    nested, first, second = written["route"]["routes"]
    assert (first["receiver"], first["continue"], second["receiver"], second["continue"]) == ("a", True, "b", False)
    assert first["matchers"] == second["matchers"] == ['team="y"']
    assert nested["matchers"] == ['severity=~"(?i)SEV1|critical"']
    assert nested["routes"] == [
        {"receiver": "b", "matchers": ['team="x"'], "continue": False},
        {"receiver": "a", "continue": True},
        {"receiver": "b", "continue": False},
    ]
    assert [receiver["name"] for receiver in written["receivers"]] == ["console", "a", "b"]


async def test_resolved_alerts_are_left_out(connect: Connect) -> None:
    client = connect()
    await client.post("/api/v2/alerts", json=[sent()])
    await client.post("/api/v2/alerts", json=[sent(endsAt=(START - timedelta(seconds=1)).isoformat())])
    assert (await client.get("/api/v2/alerts")).json() == []
