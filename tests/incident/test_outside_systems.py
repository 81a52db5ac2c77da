"""Real senders, unmodified, and a real `shopwatch run`: Prometheus, Alertmanager, PagerDuty's own client library."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pagerduty
import pytest
from pytest_httpserver import HTTPServer

from incident.client import Client
from tests import a_prometheus
from tests.a_prometheus import free_port, wait_for
from tests.incident.a_daemon import SETTINGS, Daemon, running, workspace

PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ['{rules}']
scrape_configs:
  - {{job_name: shop, static_configs: [{{targets: ['{shop}']}}]}}
alerting:
  alertmanagers: [{{static_configs: [{{targets: ['{ours}']}}]}}]
"""
RULES = """
groups:
  - name: shop
    rules:
      - alert: QueueGrows
        expr: shop_queue > 10
        labels: {service: payment, severity: critical}
        annotations: {summary: 'The queue holds {{ $value }}'}
"""
ALERTMANAGER = """
route: {{receiver: shopwatch, group_wait: 0s, group_interval: 1s}}
receivers:
  - name: shopwatch
    webhook_configs: [{{url: '{url}/hooks/alertmanager'}}]
"""


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return free_port()


@contextmanager
def daemon(tmp_path: Path, port: int, settings: str = SETTINGS) -> Iterator[tuple[Daemon, Client]]:
    with running(workspace(tmp_path / "shop", settings), tmp_path / "state", "--port", str(port)) as started:
        yield started, Client(started.url)


def incidents(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/api/v1/incidents")
    return found


@pytest.mark.needs("prometheus")
@pytest.mark.by_the_clock
@pytest.mark.timeout(300)
def test_a_real_prometheus_sends_its_alerts_they_survive_our_restart_and_they_resolve(
    tmp_path: Path, port: int, httpserver: HTTPServer
) -> None:
    queue = {"long": 99}
    httpserver.expect_request("/metrics").respond_with_handler(_metrics(queue))
    (tmp_path / "rules.yml").write_text(RULES, encoding="utf-8")
    config = PROMETHEUS.format(
        rules=tmp_path / "rules.yml", shop=f"127.0.0.1:{httpserver.port}", ours=f"127.0.0.1:{port}"
    )
    with a_prometheus.running(tmp_path / "prometheus", config):
        with daemon(tmp_path, port) as (_, client):
            [incident] = wait_for(lambda: incidents(client))
            assert (incident["service"], incident["severity"], incident["title"]) == (
                "payment", "SEV1", "The queue holds 99",
            )  # fmt: skip
        with daemon(tmp_path, port) as (_, client):
            [alert] = wait_for(lambda: client.get("/api/v2/alerts"))  # each is good for four seconds
            assert alert["labels"]["alertname"] == "QueueGrows"
            queue["long"] = 1
            wait_for(lambda: incidents(client)[0]["status"] == "monitoring")
            assert client.get("/api/v2/alerts") == []
            assert len(incidents(client)) == 1


def _metrics(queue: dict[str, int]) -> Any:
    from werkzeug import Request, Response

    def metrics(_: Request) -> Response:
        return Response(f"shop_queue {queue['long']}\n", content_type="text/plain")

    return metrics


@pytest.mark.needs("alertmanager")
def test_a_real_alertmanager_forwards_what_it_has(tmp_path: Path, port: int) -> None:
    config, theirs = tmp_path / "alertmanager.yml", free_port()
    config.write_text(ALERTMANAGER.format(url=f"http://127.0.0.1:{port}"), encoding="utf-8")
    command = [
        "prometheus-alertmanager", f"--config.file={config}", f"--storage.path={tmp_path / 'am'}",
        f"--web.listen-address=127.0.0.1:{theirs}", "--cluster.listen-address=",
    ]  # fmt: skip
    with daemon(tmp_path, port) as (_, client), (tmp_path / "am.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        amtool = ["amtool", f"--alertmanager.url=http://127.0.0.1:{theirs}", "alert", "add", "service=login"]
        try:
            wait_for(
                lambda: subprocess.run([*amtool, "alertname=Slow"], capture_output=True, check=False).returncode == 0
            )
            [incident] = wait_for(lambda: incidents(client))
            assert (incident["service"], incident["title"]) == ("login", "Slow")
            past = "--end=2020-01-01T00:00:00Z"
            subprocess.run([*amtool, "alertname=Slow", "--start=2019-01-01T00:00:00Z", past], check=True)
            wait_for(lambda: incidents(client)[0]["status"] == "monitoring")
        finally:
            process.terminate()
            process.wait(60)


def test_pagerdutys_own_client_library_talks_to_us(tmp_path: Path, port: int) -> None:
    sources = "intake: {sources: [{name: queue, token: a-routing-key-of-thirty-two-char, service: payment}]}\n"
    with daemon(tmp_path, port, SETTINGS + sources) as (started, client):
        sender = pagerduty.EventsApiV2Client("a-routing-key-of-thirty-two-char")
        sender._url = started.url  # its setter takes https alone
        key = sender.trigger("The queue grows", "mq-1", severity="warning", custom_details={"length": 99})
        [incident] = wait_for(lambda: incidents(client))
        assert (incident["service"], incident["severity"]) == ("payment", "SEV3")
        assert sender.acknowledge(key) == key
        assert incidents(client)[0]["acknowledged_at"] is not None
        sender.submit("deploy 4711", "ci", timestamp="2026-03-01T09:00:00Z")
        assert sender.resolve(key) == key
        wait_for(lambda: incidents(client)[0]["status"] == "monitoring")
        sender.close()


def test_an_address_outside_hears_that_we_live(tmp_path: Path, port: int, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/ping/secret").respond_with_data("OK")
    beat = f"heartbeat: {{url: '{httpserver.url_for('/ping/secret')}', every: 200ms}}\n"
    with daemon(tmp_path, port, SETTINGS + beat) as (started, _):
        wait_for(lambda: len(httpserver.log) >= 2)
        httpserver.clear()
        wait_for(lambda: "a heartbeat did not arrive" in started.log.read_text())
        assert "ping/secret" not in started.log.read_text()
