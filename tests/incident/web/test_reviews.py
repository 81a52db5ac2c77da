"""Reviews over HTTP, and the actions of the record with two people at them."""

import asyncio

import pytest

from incident.core.actor import Actor, Role
from incident.desk import Desk
from incident.settings import Settings
from tests.incident.conftest import SHOP
from tests.incident.web.conftest import MORE, Connect

pytestmark = pytest.mark.anyio


async def opened(connect: Connect, tokens: dict[str, str]) -> None:
    body = {"title": "<b>Cards</b> are declined", "service": "payment", "severity": "SEV1"}
    assert (await connect(tokens["responder"]).post("/api/v1/incidents", json=body)).status_code == 201


async def test_a_review_is_read_published_and_read_again(connect: Connect, tokens: dict[str, str]) -> None:
    await opened(connect, tokens)
    client = connect(tokens["responder"])
    found = (await client.get("/api/v1/incidents/1/review")).json()
    assert (found["published"], found["severity"]) == (None, "SEV1")
    mine = found["markdown"].replace("## What went well", "## What went well\n\nThe page came at once.")
    assert (await client.put("/api/v1/incidents/1/review", json={"text": mine})).json()["review"]["version"] == 1
    assert "The page came at once." in (await client.get("/api/v1/incidents/1/review")).json()["markdown"]
    late = await client.put("/api/v1/incidents/1/review", json={"text": mine})
    assert late.status_code == 409 and "published meanwhile" in late.json()["error"]
    chinese = (await client.get("/api/v1/incidents/1/review?lang=zh")).json()["markdown"]
    assert chinese.count("The page came at once.") == 1


async def test_the_page_and_the_picture_run_nothing(connect: Connect, tokens: dict[str, str]) -> None:
    await opened(connect, tokens)
    client = connect(tokens["viewer"])
    page = await client.get("/api/v1/incidents/1/review.html")
    assert page.headers["content-type"].startswith("text/html") and "<b>Cards" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    picture = await client.get("/api/v1/incidents/1/review.svg")
    assert picture.headers["content-type"].startswith("image/svg+xml") and "<b>" not in picture.text
    assert "sandbox" in picture.headers["content-security-policy"]


async def test_a_template_is_tried_and_one_that_makes_no_sense_is_refused(
    connect: Connect, tokens: dict[str, str]
) -> None:
    await opened(connect, tokens)
    client = connect(tokens["viewer"])
    path = "/api/v1/incidents/1/review/draft"
    assert "# SEV1" in (await client.post(path, json={"template": "# {{ incident.severity }}"})).json()["markdown"]
    refused = await client.post(path, json={"template": "{{ nothing }}"})
    assert refused.status_code == 400 and "nothing" in refused.json()["error"]


async def test_reviews_that_wait_are_listed(connect: Connect, tokens: dict[str, str]) -> None:
    await opened(connect, tokens)
    client = connect(tokens["responder"])
    await client.post("/api/v1/incidents/1/resolve", json={"text": "over"})
    [row] = (await client.get("/api/v1/reviews")).json()
    assert (row["number"], row["state"]) == (1, "due")
    lines = (await client.get("/metrics")).text.splitlines()
    assert 'shopwatch_action_items{state="overdue"} 0.0' in lines


async def test_sources_read_no_review_and_viewers_publish_none(connect: Connect, tokens: dict[str, str]) -> None:
    await opened(connect, tokens)
    for path in ("incidents/1/review", "incidents/1/review.html", "incidents/1/review.svg", "reviews"):
        assert (await connect(tokens["source"]).get(f"/api/v1/{path}")).status_code == 403
    refused = await connect(tokens["viewer"]).put("/api/v1/incidents/1/review", json={"text": "# x"})
    assert refused.status_code == 403
    assert (await connect(tokens["viewer"]).get("/api/v1/incidents/7/review")).status_code == 404


async def test_two_people_at_once_both_succeed_or_one_is_told(connect: Connect, tokens: dict[str, str]) -> None:
    await opened(connect, tokens)
    one, two = connect(tokens["responder"]), connect(tokens["commander"])
    both = await asyncio.gather(
        *(client.post("/api/v1/incidents/1/note", json={"text": "seen"}) for client in (one, two) for _ in range(10))
    )
    assert {answer.status_code for answer in both} == {200}
    seq = (await one.get("/api/v1/incidents/1")).json()["seq"]
    told = await asyncio.gather(
        *(
            client.post("/api/v1/incidents/1/sev", json={"severity": level, "expect_seq": seq})
            for client, level in ((one, "SEV2"), (two, "SEV3"))
        )
    )
    assert sorted(answer.status_code for answer in told) == [200, 409]
    timeline = (await one.get("/api/v1/incidents/1/timeline")).json()
    assert [event["seq"] for event in timeline] == list(range(1, len(timeline) + 1))


async def test_redaction_is_for_administrators(connect: Connect, tokens: dict[str, str]) -> None:
    await opened(connect, tokens)
    for role, status in (("responder", 403), ("commander", 403), ("admin", 200)):
        answer = await connect(tokens[role]).post("/api/v1/incidents/1/redact", json={"seq": 1, "text": "a name"})
        assert answer.status_code == status, role
    timeline = (await connect(tokens["viewer"]).get("/api/v1/incidents/1/timeline")).json()
    assert timeline[0]["text"] == "[redacted]" and "a name" in timeline[-1]["text"]


def with_role(role: str) -> Settings:
    return Settings.model_validate({**SHOP, **MORE, "people": {"lead": {"name": "L. Lead", "role": role}}})


async def test_a_token_of_a_person_takes_the_role_of_the_file_and_never_more(
    connect: Connect, tokens: dict[str, str], desk: Desk
) -> None:
    await desk.reload(with_role("commander"))
    admin = connect(tokens["admin"])
    made = (await admin.post("/api/v1/tokens", json={"name": "lead"})).json()
    assert made["role"] == "commander"
    unknown = await admin.post("/api/v1/tokens", json={"name": "nobody"})
    assert unknown.status_code == 400 and "--role" in unknown.json()["error"]
    assert (await connect(made["token"]).post("/api/v1/incidents", json={"title": "x"})).status_code == 201
    await desk.reload(with_role("viewer"))  # at once
    assert (await connect(made["token"]).post("/api/v1/incidents", json={"title": "x"})).status_code == 403
    await desk.reload(with_role("admin"))
    assert (await connect(made["token"]).get("/api/v1/tokens")).status_code == 403  # the token itself allows less


async def test_a_source_with_a_persons_name_stays_a_source(desk: Desk) -> None:
    await desk.reload(with_role("admin"))
    secret = await desk.create_token("lead", "viewer", "source")
    actor = await desk.authenticate(secret)
    assert isinstance(actor, Actor) and actor.role is Role.VIEWER
