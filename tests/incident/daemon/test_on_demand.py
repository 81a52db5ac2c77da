"""A real Prometheus scrapes a real daemon: `/metrics`, and `/probe` as it would the blackbox exporter."""

from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from pytest_httpserver import HTTPServer

from incident.client import Client
from tests import a_prometheus
from tests.a_prometheus import wait_for
from tests.incident.a_daemon import Daemon, running, workspace

JOURNEYS = """
journey: look
service: login
every: 1s
steps:
  - name: front page
    get: {url}
---
journey: buy
service: login
every: 1h
mutates: order
steps:
  - post: {url}
"""
SCRAPE = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: shopwatch
    authorization: {{credentials: {token}}}
    static_configs: [{{targets: ['{target}']}}]
  - job_name: journeys
    metrics_path: /probe
    params: {{journey: [look]}}
    static_configs: [{{targets: ['{target}']}}]
"""


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer) -> Iterator[Daemon]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    httpserver.expect_request("/").respond_with_data("welcome")
    folder = workspace(tmp_path / "shop")
    (folder / "probes").mkdir()
    text = JOURNEYS.replace("{url}", httpserver.url_for(""))
    (folder / "probes" / "look.yaml").write_text(text, encoding="utf-8")
    with running(folder, tmp_path / "state") as started:
        yield started


def got(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urlopen(Request(url, headers=headers), timeout=60) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def found_in(url: str) -> str:
    """What `/probe` says once the prober is up."""

    def ready() -> str | None:
        status, text = got(f"{url}/probe?journey=look")
        return text if status == 200 else None

    return str(wait_for(ready))


@pytest.mark.needs("prometheus")
@pytest.mark.by_the_clock
def test_prometheus_scrapes_the_daemon_and_runs_a_journey_by_scraping(daemon: Daemon, tmp_path: Path) -> None:
    token = Client(daemon.url).post("/api/v1/tokens", {"name": "scraper", "role": "viewer"})["token"]
    target = daemon.url.removeprefix("http://")
    with a_prometheus.running(tmp_path / "prometheus", SCRAPE.format(token=token, target=target)) as prometheus:
        wait_for(lambda: prometheus.query("sum(shopwatch_probe_runs_total{outcome='up'}) > 1"))
        wait_for(lambda: prometheus.query("probe_success{job='journeys'} == 1"))
        assert prometheus.query("min(up)") == {(): 1.0}
        assert prometheus.query("probe_http_status_code") != {}


def test_who_asks_without_a_token_reads_the_shop_and_writes_nothing_into_it(daemon: Daemon) -> None:
    assert "probe_success 1.0" in found_in(daemon.url)
    assert got(f"{daemon.url}/probe?journey=buy")[0] == 403
    assert got(f"{daemon.url}/probe") == (400, "Journey parameter is missing: /probe?journey=NAME\n")
    assert got(f"{daemon.url}/probe?journey=nosuch")[0] == 400
    assert got(f"{daemon.url}/probe?journey=look", Host="rebound.example")[0] == 401


def test_the_scrapers_own_timeout_ends_the_run_in_time(daemon: Daemon) -> None:
    found_in(daemon.url)
    status, _ = got(f"{daemon.url}/probe?journey=look", **{"X-Prometheus-Scrape-Timeout-Seconds": "0.001"})
    assert status == 200
    assert got(f"{daemon.url}/probe?journey=look", **{"X-Prometheus-Scrape-Timeout-Seconds": "soon"})[0] == 400
