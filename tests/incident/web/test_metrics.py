import re
import subprocess
from pathlib import Path

import pytest

from incident.desk import Desk
from incident.web.metrics import Metrics
from tests.incident.conftest import Clock, firing
from tests.incident.web.conftest import Connect
from tests.incident.web.test_api import result

pytestmark = pytest.mark.anyio
DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"


async def scraped(connect: Connect, token: str, desk: Desk, clock: Clock) -> str:
    await desk.intake([firing("payment")], "test")
    await desk.cycle(clock())
    await connect(token).post("/api/v1/results", json=[result()])
    return (await connect(token).get("/metrics")).text


async def test_what_happens_is_counted(connect: Connect, tokens: dict[str, str], desk: Desk, clock: Clock) -> None:
    text = await scraped(connect, tokens["source"], desk, clock)
    assert "\nshopwatch_alerts 1.0\n" in text
    assert 'shopwatch_incidents{severity="SEV2",status="investigating"} 1.0' in text
    assert 'shopwatch_incident_time_to_detect_seconds_bucket{le="+Inf"} 1.0' in text


async def test_every_metric_is_documented(connect: Connect, tokens: dict[str, str], desk: Desk, clock: Clock) -> None:
    names = re.findall(r"^# TYPE (\S+)", await scraped(connect, tokens["source"], desk, clock), re.M)
    assert [name for name in names if f"`{name}`" not in DOCS.read_text(encoding="utf-8")] == []


async def test_a_result_of_an_odd_shape_is_passed_over(desk: Desk) -> None:
    metrics = Metrics(desk)
    metrics.observe([{"journey": "x"}, result()])


@pytest.mark.needs("prometheus")
async def test_promtool_finds_nothing_to_say(
    connect: Connect, tokens: dict[str, str], desk: Desk, clock: Clock
) -> None:
    text = await scraped(connect, tokens["source"], desk, clock)
    told = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


async def test_a_batch_that_a_prober_repeats_counts_once(connect: Connect, tokens: dict[str, str]) -> None:
    good, bad = {**result(), "run_id": "r-1"}, {**result(), "run_id": "r-2", "duration_s": "long"}
    client = connect(tokens["source"])
    for batch in ([good, bad], [good], [good]):
        await client.post("/api/v1/results", json=batch)
    text = (await client.get("/metrics")).text
    runs = [line for line in text.splitlines() if line.startswith("shopwatch_probe_runs_total{")]
    assert sorted(line.rsplit(" ", 1)[1] for line in runs) == ["0.0", "0.0", "1.0"]  # the other outcomes
