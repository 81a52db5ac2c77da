"""Orders a minute, from the shop's database and from a real Prometheus, through a real prober and daemon to the reason
that an incident names for its severity."""

import re
import sqlite3
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from incident.client import Client
from probes.examples import FOLDER
from tests import a_prometheus
from tests.a_prometheus import wait_for
from tests.incident.a_daemon import CLI, Daemon, environment, running, workspace

SETTINGS = """
shop: {name: Shop}
services:
  checkout: {title: Checkout, orders_per_minute: {journey: order-rate, value: orders, otherwise: 4}}
  parcels: {title: Parcels, orders_per_minute: {journey: parcel-rate, value: parcels}}
  figures: {title: Figures, public: false}
"""
OF_PROMETHEUS = """
journey: parcel-rate
service: figures
every: 1s
steps:
  - promql: sum(rate(shop_parcels_total[3s])) * 60
    url: ${PROMETHEUS_URL}
    save: {parcels: value}
alert: {after: 99 of 99}
"""
SCRAPING = """
global: {{scrape_interval: 500ms}}
scrape_configs:
  - {{job_name: shop, static_configs: [{{targets: ['{shop}']}}]}}
"""
HALF_A_PARCEL_A_SECOND = 0.5


def seeded(path: Path, orders: int) -> str:
    """A shop's database in which so many orders were placed in the last ten minutes. Returns its URL."""
    placed = f"{datetime.now(UTC) - timedelta(minutes=1):%Y-%m-%d %H:%M:%S}"
    with sqlite3.connect(path) as connection:
        connection.execute("create table orders (number text, placed_at timestamp, cancelled_at timestamp)")
        connection.executemany("insert into orders values (?, ?, null)", [(str(n), placed) for n in range(orders)])
    connection.close()
    return f"sqlite:///{path}"


def measured(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for last in client.get("/api/v1/journeys"):
        found.update(last.get("measured", {}))
    return found


def page_of(daemon: Daemon, client: Client, service: str) -> str:
    """What `incident show` says of the incident of this service, once there is one."""

    def number() -> int | None:
        return next((one["number"] for one in client.get("/api/v1/incidents") if one["service"] == service), None)

    return shown(daemon, "incident", "show", str(wait_for(number)))


def shown(daemon: Daemon, *command: str) -> str:
    env = environment(daemon.workspace.parent / "state")
    done = subprocess.run(
        [*CLI, *command, "--url", daemon.url], capture_output=True, text=True, env=env, check=True, timeout=30
    )
    return done.stdout


def down(service: str) -> dict[str, Any]:
    labels = {"alertname": "JourneyDown", "service": service, "severity": "SEV4", "journey": "buy"}
    return {"labels": labels, "annotations": {"step": "Pay"}}


@pytest.mark.needs("prometheus")
def test_what_the_database_and_prometheus_say_of_orders_is_why_an_incident_is_as_bad_as_it_is(
    tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()

    def metrics(_: Request) -> Response:
        made = HALF_A_PARCEL_A_SECOND * (time.monotonic() - began)
        return Response(f"# TYPE shop_parcels_total counter\nshop_parcels_total {made}\n", content_type="text/plain")

    httpserver.expect_request("/metrics").respond_with_handler(metrics)
    folder, state = workspace(tmp_path / "shop", SETTINGS), tmp_path / "state"
    (folder / "probes").mkdir()
    (folder / "probes" / "parcels.yaml").write_text(OF_PROMETHEUS)
    example = (FOLDER / "order-rate.yaml").read_text().replace("every: 1m", "every: 1s")
    (folder / "probes" / "orders.yaml").write_text(example)
    monkeypatch.setenv("SHOP_DATABASE", seeded(tmp_path / "shop.db", 123))
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    with a_prometheus.running(tmp_path / "prometheus", SCRAPING.format(shop=f"127.0.0.1:{httpserver.port}")) as found:
        monkeypatch.setenv("PROMETHEUS_URL", found.url)
        with running(folder, state) as daemon:
            client = Client(daemon.url)
            wait_for(lambda: measured(client).get("parcels", 0) >= 25)  # once there are samples for all of its range
            wait_for(lambda: measured(client).get("orders") == 12.3)
            assert "measured orders = 12.3" in shown(daemon, "probe", "show", "order-rate")
            client.post("/api/v2/alerts", [down("checkout"), down("parcels")])
            page = page_of(daemon, client, "checkout")
            assert "SEV1" in page and "checkout, step Pay, about 12 orders a minute at risk" in page
            said = re.search(r"parcels, step Pay, about ([0-9]+) orders a minute", page_of(daemon, client, "parcels"))
            assert said is not None and 25 <= int(said[1]) <= 40
