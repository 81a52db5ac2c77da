"""A prober may report to somebody's Alertmanager: the real one, unmodified."""

import asyncio
import json
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from probes.alert import Alert
from tests.probes.prober.test_report import HASTE, reporting

pytestmark = [pytest.mark.anyio, pytest.mark.needs("alertmanager")]


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    command = [
        "prometheus-alertmanager", f"--config.file={config}", f"--storage.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


async def alerts(url: str, count: int) -> list[Any]:
    """Once the Alertmanager has so many alerts that are not over."""

    def get() -> list[Any]:
        try:
            with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=30) as response:
                found: list[Any] = json.load(response)
                return found
        except (urllib.error.URLError, ConnectionError):
            return [None] * 99  # not up yet

    async with asyncio.timeout(60):
        while len(found := await asyncio.to_thread(get)) != count:
            await asyncio.sleep(0.1)
    return found


async def test_a_real_alertmanager_takes_our_alerts_and_their_end(alertmanager: str, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    labels = {"alertname": "JourneyDown", "journey": "支付", "service": "payment", "severity": "SEV2"}
    annotations = {"seen": "<b>500</b>\n\u2028"}
    alert = Alert(labels, now - timedelta(seconds=3), now + timedelta(minutes=2), annotations)
    async with reporting(alertmanager, tmp_path / "spool", HASTE) as reporter:
        reporter.results({"journey": "checkout"})  # of which it knows nothing
        await reporter.alerts([alert], now)
        [taken] = await alerts(alertmanager, 1)
        later = datetime.now(UTC)
        await reporter.alerts([Alert(labels, alert.starts_at, later, annotations)], later)
        await alerts(alertmanager, 0)
    assert taken["labels"] == labels
    assert taken["annotations"] == annotations
    assert taken["fingerprint"] == alert.fingerprint
    assert not list((tmp_path / "spool").glob("rejected-*"))
