from typing import Any

import pytest
from structlog.testing import capture_logs

from incident.desk import Desk
from incident.errors import StoreFull
from incident.web.api_models import ACTION_ARGS
from probes.result import Outcome, Result, Step
from tests.incident.conftest import START, Clock, firing
from tests.incident.web.conftest import Connect

pytestmark = pytest.mark.anyio

ARGS: dict[str, dict[str, Any]] = {
    "ack": {},
    "note": {"text": "seen"},
    "update": {"text": "we watch it", "public": True, "status": "monitoring", "text_zh": "观察中"},
    "assign": {"role": "commander", "who": "lead"},
    "sev": {"severity": "SEV1"},
    "runbook": {"name": "payment-failure"},
    "link": {"other": 2, "how": "caused by"},
    "unlink": {"other": 2},
    "task": {"text": "call the provider", "owner": "lead", "due": "2026-03-01T10:00:00Z"},
    "task_change": {"task": "1", "owner": "second"},
    "task_done": {"task": "1"},
    "cause": {"text": "Expired certificate"},
    "merge": {"into": 2},
    "unmerge": {},
    "resolve": {"text": "over"},
    "reopen": {"text": "again"},
    "duplicate": {"of": 2},
}
KEYS = [
    "number", "title", "service", "services", "severity", "status", "drill", "opened_at", "acknowledged_at",
    "mitigated_at", "resolved_at", "roles", "alerts", "runbooks", "next_update_due", "url",
]  # fmt: skip


def result(**more: Any) -> dict[str, Any]:
    step = Step("pay", "payment", Outcome.UP, duration_s=0.2)
    return Result("checkout", "checkout", "run1", Outcome.UP, START, 0.2, [step], lag_s=0.001).to_json() | more


async def test_an_incident_lives_its_life_over_the_api(connect: Connect, tokens: dict[str, str]) -> None:
    client = connect(tokens["responder"])
    opened = await client.post("/api/v1/incidents", json={"title": "Cards are declined", "service": "payment"})
    assert opened.status_code == 201
    assert set(KEYS) <= set(opened.json())
    await client.post("/api/v1/incidents", json={"title": "Sign-in is slow", "service": "login"})
    for action, args in ARGS.items():
        response = await client.post(f"/api/v1/incidents/1/{action}", json=args)
        assert response.status_code == 200, response.text
    shown = (await client.get("/api/v1/incidents/1")).json()
    assert (shown["severity"], shown["status"], shown["roles"]) == ("SEV1", "resolved", {"commander": "lead"})
    assert (shown["merged_into"], shown["causes"]) == (2, ["Expired certificate"])
    assert [(task["owner"], task["done_at"] is None) for task in shown["tasks"]] == [("second", False)]
    timeline = (await client.get("/api/v1/incidents/1/timeline")).json()
    assert [list(event) for event in timeline] == [["seq", "at", "actor", "kind", "text", "data"]] * len(timeline)
    assert timeline[0]["actor"] == "a-responder"


async def test_every_action_has_its_arguments_here() -> None:
    from incident.core.actions import ACTIONS

    assert set(ACTION_ARGS) == set(ACTIONS) - {"attach"} | {"silence"}  # attach has a route of its own, for its content
    for name in ACTIONS.keys() & ACTION_ARGS.keys():
        action = ACTIONS[name]
        assert set(ACTION_ARGS[name].model_fields) - {"expect_seq"} == set(action.keys)


async def test_an_action_without_arguments_needs_no_body(
    connect: Connect, tokens: dict[str, str], desk: Desk, clock: Clock
) -> None:
    await desk.intake([firing("payment")], "test")
    await desk.cycle(clock())
    response = await connect(tokens["responder"]).post("/api/v1/incidents/1/ack")
    assert response.json()["acknowledged_at"] is not None


async def test_the_timeline_can_be_read_on_from_where_one_was(connect: Connect, tokens: dict[str, str]) -> None:
    client = connect(tokens["responder"])
    await client.post("/api/v1/incidents", json={"title": "x", "text": "a first note"})
    events = (await client.get("/api/v1/incidents/1/timeline?after=1")).json()
    assert events[0]["seq"] == 2


async def test_resolved_incidents_are_listed_only_when_asked_for(connect: Connect, tokens: dict[str, str]) -> None:
    client = connect(tokens["responder"])
    for title in ("one", "two", "three"):
        await client.post("/api/v1/incidents", json={"title": title})
    await client.post("/api/v1/incidents/2/resolve", json={})
    assert [item["number"] for item in (await client.get("/api/v1/incidents")).json()] == [3, 1]
    assert [item["number"] for item in (await client.get("/api/v1/incidents?all=true")).json()] == [3, 2, 1]


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/api/v1/incidents/1/note", {}, "text"),
        ("/api/v1/incidents/1/note", None, "body is missing"),
        ("/api/v1/incidents/1/note", {"text": "x", "colour": "red"}, "colour"),
        ("/api/v1/incidents/1/note", {"text": ["x"]}, "text"),
        ("/api/v1/incidents/1/sev", {"severity": "SEV9"}, "severity"),
        ("/api/v1/incidents/1/update", {"text": "x", "next_update_due": "2026-01-01T00:00:00"}, "next_update_due"),
        ("/api/v1/incidents/one/ack", {}, "number"),
        (f"/api/v1/incidents/{10**22}/ack", {}, "number"),
        ("/api/v1/incidents/1/ack", {"expect_seq": 10**22}, "expect_seq"),
        ("/api/v1/incidents", {"title": ""}, "title"),
        ("/api/v1/results", {"journey": "x"}, "list"),
    ],
)
async def test_a_request_that_makes_no_sense_is_told_what_is_wrong(
    connect: Connect, tokens: dict[str, str], path: str, body: Any, words: str
) -> None:
    client = connect(tokens["admin"])
    await client.post("/api/v1/incidents", json={"title": "x"})
    response = await (client.post(path) if body is None else client.post(path, json=body))
    assert response.status_code == 400
    assert words in response.json()["error"]


async def test_what_is_not_there_is_a_404(connect: Connect, tokens: dict[str, str]) -> None:
    client = connect(tokens["admin"])
    for path in ("/api/v1/incidents/7", "/api/v1/incidents/7/timeline", "/api/v1/nothing"):
        response = await client.get(path)
        assert (response.status_code, list(response.json())) == (404, ["error"])
    assert (await client.post("/api/v1/incidents/7/ack")).status_code == 404
    assert (await client.delete("/api/v1/tokens/nobody")).status_code == 404


async def test_a_viewer_may_read_and_change_nothing(connect: Connect, tokens: dict[str, str]) -> None:
    await connect(tokens["responder"]).post("/api/v1/incidents", json={"title": "x"})
    client = connect(tokens["viewer"])
    assert (await client.get("/api/v1/incidents/1")).status_code == 200
    refused = [await client.post(f"/api/v1/incidents/1/{action}", json=args) for action, args in ARGS.items()]
    refused += [await client.post("/api/v1/incidents", json={"title": "x"}), await client.get("/api/v1/tokens")]
    refused += [await client.post("/api/v1/results", json=[]), await client.delete("/api/v1/tokens/x")]
    drill = {"name": "d", "target": "practice", "until": "2026-03-01T10:00:00Z"}
    refused += [
        await client.post("/api/v1/drills", json=drill),
        await client.patch("/api/v1/drills/1", json={"scorecard": {}}),
    ]
    refused += [await client.post("/api/v1/tokens", json={"name": "x", "role": "admin"})]
    assert {response.status_code for response in refused} == {403}


async def test_a_source_may_report_and_reads_no_incidents(connect: Connect, tokens: dict[str, str]) -> None:
    client = connect(tokens["source"])
    assert (await client.post("/api/v1/results", json=[result()])).status_code == 204
    assert (await client.get("/metrics")).status_code == 200
    assert (await client.get("/api/v1/journeys")).status_code == 200
    for path in ("incidents", "incidents/1", "incidents/1/timeline", "deliveries", "drills", "tokens"):
        assert (await client.get(f"/api/v1/{path}")).status_code == 403


async def test_only_an_admin_makes_tokens(connect: Connect, tokens: dict[str, str]) -> None:
    for role in ("commander", "responder"):
        response = await connect(tokens[role]).post("/api/v1/tokens", json={"name": "x", "role": "viewer"})
        assert response.status_code == 403
    made = await connect(tokens["admin"]).post("/api/v1/tokens", json={"name": "mara", "role": "responder"})
    acted = await connect(made.json()["token"]).post("/api/v1/incidents", json={"title": "x"})
    assert acted.status_code == 201
    listed = (await connect(tokens["admin"]).get("/api/v1/tokens")).json()
    assert [(item["name"], item["role"]) for item in listed] == [("mara", "responder")]
    assert made.json()["token"] not in str(listed)


async def test_who_has_not_seen_the_latest_is_told(connect: Connect, tokens: dict[str, str]) -> None:
    client = connect(tokens["responder"])
    await client.post("/api/v1/incidents", json={"title": "x"})
    await client.post("/api/v1/incidents/1/note", json={"text": "news"})
    response = await client.post("/api/v1/incidents/1/resolve", json={"expect_seq": 1})
    assert response.status_code == 409


async def test_what_an_incidents_alerts_have_in_common_is_silenced_over_the_api(
    connect: Connect, tokens: dict[str, str], desk: Desk, clock: Clock
) -> None:
    await desk.intake([firing("payment")], "test")
    await desk.cycle(clock())
    path = "/api/v1/incidents/1/silence"
    assert (await connect(tokens["viewer"]).post(path, json={"for": 60})).status_code == 403
    client = connect(tokens["responder"])
    assert (await client.post(path, json={"for": 60, "expect_seq": 1})).status_code == 409
    silenced = await client.post(path, json={"for": 60, "text": "at work on it"})
    assert (silenced.status_code, silenced.json()["number"]) == (200, 1)
    [made] = (await client.get("/api/v2/silences")).json()
    assert (made["comment"], made["createdBy"]) == ("at work on it", "a-responder")


async def test_results_are_shown_with_their_journey_and_counted(connect: Connect, tokens: dict[str, str]) -> None:
    client = connect(tokens["source"])
    await client.post("/api/v1/results", json=[result()])
    [journey] = (await client.get("/api/v1/journeys")).json()
    assert (journey["journey"], journey["outcome"]) == ("checkout", "up")
    assert 'shopwatch_probe_runs_total{journey="checkout"' in (await client.get("/metrics")).text


async def test_a_result_that_is_none_does_not_hold_up_the_others(connect: Connect, tokens: dict[str, str]) -> None:
    client = connect(tokens["source"])
    response = await client.post("/api/v1/results", json=[{"journey": 5}, result()])
    assert response.status_code == 400
    assert len((await client.get("/api/v1/journeys")).json()) == 1
    lines = (await client.get("/metrics")).text.splitlines()
    assert [line for line in lines if line.startswith("shopwatch_probe_runs_total{") and line.endswith(" 1.0")]


async def test_a_drill_marks_what_happens_while_it_is_open(
    connect: Connect, tokens: dict[str, str], desk: Desk, clock: Clock
) -> None:
    client = connect(tokens["commander"])
    body = {"name": "payment-declines", "target": "practice", "services": ["payment"], "until": "2026-03-01T10:00:00Z"}
    number = (await client.post("/api/v1/drills", json=body)).json()["number"]
    await desk.intake([firing("payment")], "test")
    await desk.cycle(clock())
    assert (await client.get("/api/v1/incidents/1")).json()["drill"] == "payment-declines"
    await client.patch(f"/api/v1/drills/{number}", json={"scorecard": {"passed": True}})
    [drill] = (await client.get("/api/v1/drills")).json()
    assert drill["scorecard"] == {"passed": True}


async def test_a_full_disk_is_a_503(
    connect: Connect, tokens: dict[str, str], desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> None:
        raise StoreFull("the disk is full")

    monkeypatch.setattr(desk, "perform", full)
    response = await connect(tokens["responder"]).post("/api/v1/incidents", json={"title": "x"})
    assert (response.status_code, response.json()) == (503, {"error": "the disk is full"})


async def test_a_defect_tells_the_caller_nothing_of_our_insides(
    connect: Connect, tokens: dict[str, str], desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(desk, "incidents", broken)
    with capture_logs() as logs:
        response = await connect(tokens["viewer"]).get("/api/v1/incidents")
    assert response.status_code == 500
    assert "secret" not in response.text and "error" in response.json()
    assert [str(line["exc_info"]) for line in logs if line["event"] == "defect"] == ["secret"]


async def test_the_openapi_document_names_every_route_and_argument(connect: Connect, tokens: dict[str, str]) -> None:
    document = (await connect(tokens["viewer"]).get("/api/openapi.json")).json()
    update = document["paths"]["/api/v1/incidents/{number}/update"]["post"]
    reference = update["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert set(document["components"]["schemas"][reference.rsplit("/", 1)[1]]["properties"]) == {
        "expect_seq", "text", "text_zh", "public", "status", "next_update_due", "force",
    }  # fmt: skip
    assert {f"/api/v1/incidents/{{number}}/{action}" for action in ACTION_ARGS} <= set(document["paths"])
