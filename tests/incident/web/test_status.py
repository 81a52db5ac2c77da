import gzip
import re
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser

from incident.desk import Desk
from incident.settings import Settings
from incident.web.status import StatusPage
from incident.web.words import CHINESE, ENGLISH
from tests.incident.conftest import RESPONDER, SHOP, Clock, firing
from tests.incident.web.conftest import MORE, Connect

pytestmark = pytest.mark.anyio

INSIDE = "psp-7.internal.example refused card 4111"


async def trouble(desk: Desk, clock: Clock, service: str = "payment", severity: str = "SEV2") -> int:
    """An incident full of what the public must not see."""
    alert = firing(service, clock(), severity=severity, host="psp-7.internal.example")
    await desk.intake([alert], "prober")
    await desk.cycle(clock())
    number = (await desk.incidents())[0].number
    await desk.perform("note", number, RESPONDER, {"text": INSIDE})
    await desk.perform("update", number, RESPONDER, {"text": f"internally: {INSIDE}"})
    return number


async def say(desk: Desk, number: int, text: str, **more: Any) -> None:
    await desk.perform("update", number, RESPONDER, {"text": text, "public": True, **more})


async def read(connect: Connect, path: str = "/") -> LexborHTMLParser:
    return LexborHTMLParser((await connect().get(path)).text)


def text_of(page: LexborHTMLParser, selector: str) -> str:
    return " ".join(" ".join(node.text() for node in page.css(selector)).split())


def attribute(page: LexborHTMLParser, selector: str, name: str) -> str | None:
    node = page.css_first(selector)
    assert node is not None
    return node.attributes.get(name)


async def test_when_all_is_well_it_says_so_in_both_languages(connect: Connect) -> None:
    assert text_of(await read(connect), "h1") == "All systems are working"
    chinese = await read(connect, "/zh/")
    assert text_of(chinese, "h1") == "所有系统运行正常"
    assert attribute(chinese, "html", "lang") == "zh-Hans"
    assert [node.text().strip() for node in chinese.css(".name")][:2] == ["登录", "商品目录"]


async def test_components_stand_in_the_order_of_the_file_without_those_that_are_not_public(connect: Connect) -> None:
    names = [node.text() for node in (await read(connect)).css(".name")]
    assert names == ["Sign-in", "Catalogue", "Basket", "Checkout", "Payment", "Delivery tracking"]


async def test_a_public_update_shows_and_nothing_else_does(connect: Connect, desk: Desk, clock: Clock) -> None:
    number = await trouble(desk, clock)
    assert text_of(await read(connect), "h1") == "All systems are working"
    await say(desk, number, "Some cards are declined.", text_zh="部分银行卡支付失败。", status="identified")
    page = await read(connect)
    assert text_of(page, "h1") == "Part of the shop is not working"
    assert "Some cards are declined." in text_of(page, ".incident")
    assert "Problem with Payment" in text_of(page, ".incident h3")
    assert "部分银行卡支付失败。" in text_of(await read(connect, "/zh/"), ".incident")
    everything = "".join([(await connect().get(path)).text for path in ("/", "/zh/", "/api/v2/summary.json")])
    for secret in (INSIDE, "psp-7", "internally", "JourneyDown", "payment is down", "mara", "prober"):
        assert secret not in everything


async def test_hostile_text_is_shown_as_text(connect: Connect, desk: Desk, clock: Clock) -> None:
    await say(desk, await trouble(desk, clock), "<script>alert(1)</script><img src=x onerror=alert(1)>")
    answer = (await connect().get("/")).text
    assert "<script" not in answer and "<img" not in answer
    assert "&lt;script&gt;" in answer


async def test_the_page_needs_no_script_and_allows_none(connect: Connect) -> None:
    response = await connect().get("/")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert not LexborHTMLParser(response.text).css("script, [style], [onclick], link[rel=stylesheet]")


async def test_the_styles_are_those_that_the_policy_names(connect: Connect) -> None:
    import base64
    import hashlib

    response = await connect().get("/")
    style = re.search("<style>(.*)</style>", response.text, re.S)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in response.headers["content-security-policy"]


async def test_the_page_can_be_walked_by_landmarks_and_headings(connect: Connect, desk: Desk, clock: Clock) -> None:
    await say(desk, await trouble(desk, clock), "Some cards are declined.")
    page = await read(connect)
    assert [len(page.css(name)) for name in ("header", "main", "footer", "h1", "nav")] == [1, 1, 1, 1, 1]
    levels = [int(str(node.tag)[1]) for node in page.css("h1, h2, h3, h4")]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    labelled = [node.attributes["aria-labelledby"] for node in page.css("[aria-labelledby]")]
    assert labelled and all(page.css_first(f"#{name}") is not None for name in labelled)
    assert all(node.attributes.get("datetime") for node in page.css("time"))


async def test_times_are_those_of_the_shop(connect: Connect) -> None:
    page = await read(connect)
    assert text_of(page, ".banner time") == "2026-03-01 10:00"
    assert "Europe/Berlin" in text_of(page, "footer")


async def test_a_text_in_the_other_language_says_so_to_a_reading_voice(
    connect: Connect, desk: Desk, clock: Clock
) -> None:
    await say(desk, await trouble(desk, clock), "Some cards are declined.")
    assert attribute(await read(connect, "/zh/"), ".text", "lang") == "en"
    assert attribute(await read(connect), ".text", "lang") is None


async def test_a_drill_on_the_practice_shop_is_marked(connect: Connect, desk: Desk, clock: Clock) -> None:
    await desk.open_drill("payment-declines", "practice", None, clock() + timedelta(hours=1), RESPONDER)
    await say(desk, await trouble(desk, clock), "Cards are declined.")
    page = await read(connect)
    assert text_of(page, ".incident h3").startswith("Drill ")
    assert "No customer is affected" in text_of(page, ".incident")
    assert "演练" in text_of(await read(connect, "/zh/"), ".incident h3")
    summary = (await connect().get("/api/v2/summary.json")).json()
    assert summary["incidents"][0]["name"] == "Drill: Problem with Payment"


async def test_a_drill_anywhere_else_never_shows(connect: Connect, desk: Desk, clock: Clock) -> None:
    await desk.open_drill("payment-declines", "staging", None, clock() + timedelta(hours=1), RESPONDER)
    await say(desk, await trouble(desk, clock), "Cards are declined.")
    assert text_of(await read(connect), "h1") == "All systems are working"
    assert (await connect().get("/api/v2/summary.json")).json()["incidents"] == []


async def test_a_grave_incident_shows_itself_when_nobody_speaks(tmp_path: Path, clock: Clock) -> None:
    automatic = {**MORE["status_page"], "automatic": "5m"}
    settings = Settings.model_validate({**SHOP, **MORE, "status_page": automatic})
    desk = Desk(f"sqlite:///{tmp_path / 'own.db'}", settings, clock)
    await desk.start()
    page = StatusPage(desk, settings, clock)
    await trouble(desk, clock)
    assert (await page.board(clock())).open == ()
    clock.forward(minutes=5)
    [shown] = (await page.board(clock())).open
    assert shown.updates[0].automatic
    await desk.close()


async def test_the_page_is_made_once_until_something_changes(
    desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = StatusPage(desk, desk.settings, clock)
    made = 0
    board = page.board

    async def counted(now: Any) -> Any:
        nonlocal made
        made += 1
        return await board(now)

    monkeypatch.setattr(page, "board", counted)
    answer = page.page("en")
    from starlette.requests import Request

    request = Request({"type": "http", "headers": [], "method": "GET"})
    for _ in range(5):
        await answer(request)
    assert made == 1
    await desk.perform("open", None, RESPONDER, {"title": "x"})
    await answer(request)
    assert made == 2
    clock.forward(seconds=31)  # it says as of when it is
    await answer(request)
    assert made == 3


async def test_who_has_the_page_already_gets_a_304(connect: Connect, desk: Desk, clock: Clock) -> None:
    client = connect()
    etag = (await client.get("/")).headers["etag"]
    assert (await client.get("/", headers={"If-None-Match": etag})).status_code == 304
    await say(desk, await trouble(desk, clock), "Cards are declined.")
    assert (await client.get("/", headers={"If-None-Match": etag})).status_code == 200


async def test_the_page_is_packed_for_who_can_unpack(connect: Connect) -> None:
    client = connect()
    plain = await client.get("/", headers={"Accept-Encoding": "identity"})
    async with client.stream("GET", "/", headers={"Accept-Encoding": "gzip"}) as packed:
        body = b"".join([chunk async for chunk in packed.aiter_raw()])
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == plain.content
    assert len(plain.content) < 14_000 and len(body) < 4096


async def test_the_summary_has_the_usual_shape(connect: Connect, desk: Desk, clock: Clock) -> None:
    number = await trouble(desk, clock)
    await say(desk, number, "Cards are declined.")
    await say(desk, number, "The provider mends it.", status="monitoring")
    response = await connect(headers={"Origin": "https://shop.example"}).get("/api/v2/summary.json")
    assert response.headers["access-control-allow-origin"] == "*"
    summary = response.json()
    assert list(summary) == ["page", "status", "components", "incidents", "scheduled_maintenances"]
    assert set(summary["page"]) == {"id", "name", "url", "time_zone", "updated_at"}
    assert summary["page"]["url"] == "https://status.shop.example"
    assert summary["status"] == {"indicator": "minor", "description": "Partially Degraded Service"}
    [group] = [item for item in summary["components"] if item["group"]]
    inside = [item for item in summary["components"] if item["group_id"] == group["id"]]
    assert group["components"] == [item["id"] for item in inside]
    assert [item["position"] for item in summary["components"]] == list(range(1, 8))
    [incident] = summary["incidents"]
    assert (incident["status"], incident["impact"]) == ("monitoring", "major")
    assert [update["body"] for update in incident["incident_updates"]] == [
        "The provider mends it.",
        "Cards are declined.",
    ]
    assert [item["name"] for item in incident["components"]] == ["Payment"]


async def test_every_word_is_there_in_both_languages() -> None:
    assert set(ENGLISH) == set(CHINESE)
    assert all(text.count("{}") == CHINESE[key].count("{}") for key, text in ENGLISH.items())


async def test_the_address_without_its_slash_leads_there(connect: Connect) -> None:
    assert (await connect().get("/zh")).headers["location"] == "/zh/"


async def test_a_logo_comes_from_the_workspace_and_from_nowhere_else(tmp_path: Path, desk: Desk, clock: Clock) -> None:
    workspace = tmp_path / "ws"
    workspace.mkdir()
    (workspace / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "outside.svg").write_text("<svg/>")
    (workspace / "secret.txt").write_text("x")

    def logo(name: str) -> Any:
        settings = Settings.model_validate({**SHOP, "status_page": {"logo": name}})
        return StatusPage(desk, settings, clock, workspace).logo

    assert logo("logo.svg")[1] == "image/svg+xml"
    assert [logo(name) for name in ("../outside.svg", "secret.txt", "missing.png", "/etc/hostname")] == [None] * 4


async def test_health_is_answered_to_head_too(connect: Connect) -> None:
    for path in ("/-/healthy", "/-/ready"):
        response: httpx.Response = await connect(client="203.0.113.9").head(path)
        assert (response.status_code, response.content) == (200, b"")


async def test_the_page_can_only_be_read(connect: Connect) -> None:
    assert (await connect().post("/", json={})).status_code == 405


async def test_the_address_of_an_incident_leads_to_its_place_on_the_page(
    desk: Desk, clock: Clock, connect: Connect
) -> None:
    number = await trouble(desk, clock)
    await say(desk, number, "Some payments fail")
    answer = await connect().get(f"/incidents/{number}")
    page, _, anchor = answer.headers["location"].partition("#")
    assert (answer.status_code, page) == (302, "../")
    assert (await read(connect)).css_first(f"#{anchor}") is not None
    assert (await connect().get("/incidents/x%0d%0a")).status_code == 404
