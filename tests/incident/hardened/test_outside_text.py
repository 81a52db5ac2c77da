"""One nasty text, sent everywhere that takes text, and looked for in everything that comes out. And the secrets of the
workspace, which come out nowhere. A real daemon, its prober and the commands.
"""

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

import cli
from incident.chat import blocks
from incident.core.model import Event
from tests.incident.a_daemon import Daemon, running, workspace

ESC, CSI, BIDI, BELL = "\x1b", "\x9b", "\u202e", "\x07"
NASTY = (
    f"N{ESC}[31m{ESC}]8;;http://evil.example{ESC}\\{CSI}2J{BIDI}{BELL}\r\nforged=1 \u2028<script>alert(1)</script>"
    f"\"'><img src=x onerror=alert(1)> <!channel> <@U1> <http://evil.example|ok> ${{7*7}} {{{{7*7}}}} "
    f"'; drop table alerts; -- ../../etc/passwd =HYPERLINK(1) \x00end"
)
DANGEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
SECRETS = {
    "SHOP_PASSWORD": "sekret-of-the-buyer", "SQL_PASSWORD": "sekret-of-the-database", "HOOK": "sekret-of-the-hook",
    "HOOK_URL": "sekret-in-an-address", "BEAT": "sekret-of-the-heartbeat", "SOURCE": "sekret-of-a-source-0123456789",
    "HMAC": "sekret-of-a-signature-0123456789", "PROXY_PASSWORD": "sekret-of-the-proxy", "HEADER": "sekret-of-a-header",
}  # fmt: skip
SETTINGS = """
shop: {name: Example Shop, languages: [en, zh]}
services:
  login: {title: Sign-in}
  payment: {title: Payment, title_zh: 支付}
channels:
  ops: {webhook: "http://127.0.0.1:9/${HOOK_URL}", secret: "${HOOK}"}
routes: [{channels: [ops]}]
heartbeat: {url: "http://127.0.0.1:9/${BEAT}", every: 1s}
intake:
  sources:
    - {name: prometheus, token: "${SOURCE}"}
    - {name: grafana, token: "${SOURCE}-signed", hmac: {key: "${HMAC}"}}
"""
JOURNEYS = {
    "pay": """
journey: pay
service: payment
every: 1s
timeout: 60s
base: http://buyer:${SHOP_PASSWORD}@127.0.0.1:9
alert: {after: 1 of 1, confirm: 1s}
steps:
  - name: open
    get: /?token=${HEADER}
    headers: {Authorization: "Bearer ${HEADER}"}
""",
    "orders": """
journey: orders
service: payment
every: 1s
timeout: 60s
base: http://127.0.0.1:9
alert: {after: 1 of 1, confirm: 1s}
steps:
  - name: count
    sql: select 1
    url: postgresql://reader:${SQL_PASSWORD}@127.0.0.1:9/shop
    expect: {value: 1}
""",
    "far": """
journey: far
service: login
every: 1s
timeout: 60s
base: http://shop.example
proxy: http://me:${PROXY_PASSWORD}@127.0.0.1:9
alert: {after: 1 of 1, confirm: 1s}
steps:
  - name: open
    get: /
""",
}


@dataclass
class Shop:
    daemon: Daemon
    state: Path
    numbers: list[int]

    def command(self, *words: str) -> str:
        """Everything that it printed."""
        told = {"XDG_STATE_HOME": str(self.state), "SHOPWATCH_URL": self.daemon.url, **SECRETS}
        folder = str(self.daemon.workspace)
        done = CliRunner().invoke(cli.shopwatch, ["-w", folder, *words], prog_name="shopwatch", env=told)
        assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exception)
        return done.output

    def client(self) -> httpx.Client:
        (token,) = self.state.rglob("*.token")
        headers = {"Authorization": f"Bearer {token.read_text()}"}
        return httpx.Client(base_url=self.daemon.url, headers=headers, timeout=60)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("outside")
    made = workspace(folder / "shop", SETTINGS)
    (made / "probes").mkdir()
    for name, text in JOURNEYS.items():
        (made / "probes" / f"{name}.yaml").write_text(text)
    patch = pytest.MonkeyPatch()
    for name, value in SECRETS.items():
        patch.setenv(name, value)
    try:
        with running(made, folder / "state") as daemon:
            shop = Shop(daemon, folder / "state", [])
            with shop.client() as client:
                sent_everywhere(client)
                awaited(client)
                shop.numbers = [item["number"] for item in client.get("/api/v1/incidents?all=true").json()]
            yield shop
    finally:
        patch.undo()


def sent_everywhere(client: httpx.Client) -> None:
    """Each is taken or refused, and breaks nothing."""
    number = client.post("/api/v1/incidents", json={"title": NASTY[:190], "service": "login", "text": NASTY}).json()[
        "number"
    ]
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    result = {
        "journey": "pay", "run_id": "r-nasty", "service": "payment", "outcome": "down", "duration_s": 0.5,
        "started_at": datetime.now(UTC).isoformat(), "location": "local", "cleanup": [],
        "steps": [{"name": NASTY, "outcome": "down", "reason": NASTY, "expected": NASTY, "seen": NASTY}],
    }  # fmt: skip
    labels = {"alertname": NASTY, "service": NASTY, "severity": NASTY, "journey": NASTY, NASTY: NASTY}
    acts: list[tuple[str, Any]] = [
        *((f"/api/v1/incidents/{number}/{action}", body) for action, body in {
            "note": {"text": NASTY},
            "update": {"text": NASTY, "text_zh": NASTY, "public": True, "status": "identified"},
            "assign": {"role": "scribe", "who": NASTY[:190]}, "sev": {"severity": "SEV1", "text": NASTY},
            "runbook": {"name": NASTY[:190]}, "task": {"text": NASTY}, "cause": {"text": NASTY[:190]},
            "attachments": {"name": NASTY[:190], "content": "YQ=="},
        }.items()),
        ("/api/v2/alerts", [{"labels": labels, "annotations": {"summary": NASTY, NASTY: NASTY}}]),
        ("/api/v2/alerts", [{"labels": {**labels, "service": "login"}, "annotations": {"summary": NASTY}}]),
        ("/api/v2/silences", {"matchers": [{"name": "a", "value": NASTY, "isRegex": False}], "comment": NASTY,
                              "createdBy": NASTY, "startsAt": later, "endsAt": "2099-01-01T00:00:00Z"}),
        ("/hooks/alertmanager", {"alerts": [{"status": "firing", "labels": labels, "annotations": {NASTY: NASTY}}]}),
        ("/hooks/grafana", {"ruleName": NASTY, "ruleId": 1, "message": NASTY, "tags": {"a": NASTY}}),
        ("/v2/enqueue", {"routing_key": SECRETS["SOURCE"], "event_action": "trigger", "dedup_key": NASTY[:200],
                         "payload": {"summary": NASTY, "source": NASTY, "severity": "info", "class": NASTY,
                                     "component": NASTY, "custom_details": {NASTY: NASTY}}}),
        ("/v2/change/enqueue", {"routing_key": SECRETS["SOURCE"], "payload": {"summary": NASTY, "source": NASTY}}),
        ("/api/v1/results", [result]), ("/api/v1/results", [{**result, "journey": NASTY, "run_id": "r-2"}]),
        ("/api/v1/heartbeat", {"location": NASTY}), ("/api/v1/tokens", {"name": NASTY, "role": "viewer"}),
        ("/api/v1/drills", {"name": NASTY[:190], "target": NASTY[:190], "services": ["login"], "until": later}),
    ]  # fmt: skip
    for path, body in acts:
        response = client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert response.status_code < 500, (path, response.text)


def awaited(client: httpx.Client) -> None:
    """Until the prober's journeys have failed, and the evidence of one is attached."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        failed = {item["journey"] for item in client.get("/api/v1/journeys").json() if item["outcome"] == "down"}
        incidents = client.get("/api/v1/incidents").json()
        if failed >= set(JOURNEYS) and any(one.get("run") for item in incidents for one in item["attachments"]):
            return
        time.sleep(0.5)
    pytest.fail("the journeys did not fail in time")


def printed(shop: Shop) -> dict[str, str]:
    commands = [
        "alert list", "incident list --all", "silence list", "maintenance list", "probe list", "token list",
        "drill list", "incident list --json", "alert list --json", "silence list --json",
        *(f"incident {verb} {number}" for number in shop.numbers[-2:] for verb in ("show", "timeline", "evidence")),
        *(f"timeline {number} --json" for number in shop.numbers),
        *(f"incident review {number}{how}" for number in shop.numbers for how in ("", " --md -", " --json")),
    ]  # fmt: skip
    return {words: shop.command(*words.split()) for words in commands}


OF_INCIDENT = ("", "/timeline", "/review", "/review.html", "/review.svg")


def read_over_http(shop: Shop) -> dict[str, httpx.Response]:
    paths = [
        "/", "/zh/", "/api/v2/summary.json", "/metrics", "/api/v1/incidents?all=true", "/api/v2/alerts",
        "/api/v2/silences",
        "/api/v2/status", "/api/v1/journeys", "/api/v1/deliveries", "/api/v1/changes", "/api/v1/drills",
        "/api/v1/tokens",
        "/api/v1/locations", "/api/openapi.json", "/api/v2/alerts/groups", "/-/ready", "/api/v1/journeys/pay/runs",
        *(f"/api/v1/incidents/{number}{rest}" for number in shop.numbers for rest in OF_INCIDENT),
    ]  # fmt: skip
    with shop.client() as client:
        found = {path: client.get(path) for path in paths}
        for number in shop.numbers:
            for item in client.get(f"/api/v1/incidents/{number}").json()["attachments"]:
                path = f"/api/v1/incidents/{number}/attachments/{item['attachment']}"
                found[path] = client.get(path)
    return found


@pytest.mark.long
def test_nothing_from_outside_steers_a_terminal(shop: Shop) -> None:
    for words, output in printed(shop).items():
        assert "Traceback" not in output, (words, output)
        assert not DANGEROUS.search(output), (words, DANGEROUS.findall(output))


@pytest.mark.long
def test_nothing_from_outside_becomes_markup_a_header_or_a_metric(shop: Shop) -> None:
    for path, response in read_over_http(shop).items():
        assert response.status_code < 500, (path, response.text[:300])
        kind = response.headers.get("content-type", "")
        if "html" in kind or "svg" in kind:
            assert "<script>alert" not in response.text and "<img src=x" not in response.text, path
        if path == "/metrics":
            assert all(re.match(r"#|shopwatch_|python_|process_|$", line) for line in response.text.split("\n"))
        if "/attachments/" in path:
            said = response.headers["content-disposition"]
            assert said.startswith("attachment;") and not set(said) & set("/\\\r\n<>")


@pytest.mark.long
def test_a_line_of_the_log_is_one_line_and_an_object(shop: Shop) -> None:
    for line in shop.daemon.log.read_text().split("\n"):
        assert not line or isinstance(json.loads(line), dict)
        assert not DANGEROUS.search(line), line


@pytest.mark.long
def test_what_goes_to_slack_calls_nobody(shop: Shop) -> None:
    with shop.client() as client:
        told = [item for n in shop.numbers for item in client.get(f"/api/v1/incidents/{n}/timeline").json()]
    events = [Event(**{**item, "incident": 1, "at": datetime.fromisoformat(item["at"])}) for item in told]
    texts = [blocks.thread([event]) for event in events]
    assert any("channel" in text for text in texts)
    assert not [text for text in texts if re.search("<(!channel|@U1|http://evil)", text)]


@pytest.mark.long
def test_an_attachment_is_saved_under_a_harmless_name(shop: Shop, tmp_path: Path) -> None:
    with shop.client() as client:
        items = client.get(f"/api/v1/incidents/{min(shop.numbers)}").json()["attachments"]
    old = Path.cwd()
    os.chdir(tmp_path)
    try:
        shop.command("incident", "evidence", str(min(shop.numbers)), items[0]["attachment"])
    finally:
        os.chdir(old)
    (saved,) = tmp_path.rglob("*")
    assert saved.parent == tmp_path and not DANGEROUS.search(saved.name) and not saved.name.startswith(".")


@pytest.mark.long
def test_no_secret_of_the_workspace_ever_comes_out(shop: Shop) -> None:
    outputs = {path: response.text + str(response.headers) for path, response in read_over_http(shop).items()}
    outputs |= printed(shop)
    outputs["the log"] = shop.daemon.log.read_text() + "".join(shop.daemon.said)
    for name in JOURNEYS:
        outputs[f"run {name}"] = shop.command("probe", "run", name) + shop.command("probe", "run", name, "--trace")
    outputs["check"] = shop.command("check") + shop.command("schema", "shopwatch")
    export = shop.daemon.workspace.parent / "export.jsonl"
    shop.command("db", "export", str(export))
    outputs["the export"] = export.read_text() if export.exists() else ""
    for path in (shop.daemon.workspace / ".shopwatch").rglob("*"):
        if path.is_file():
            outputs[str(path)] = path.read_bytes().decode("latin-1")
    leaked = [(where, name) for where, text in outputs.items() for name, secret in SECRETS.items() if secret in text]
    assert leaked == []
