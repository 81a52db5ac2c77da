import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from probes.alert import Alert
from probes.prober.report import BadReceiver, Patience, Reporter
from tests.probes.receiver import Receiver, settle

pytestmark = pytest.mark.anyio
HASTE = Patience(request=60.0, first=0.02, longest=0.1)


@asynccontextmanager
async def reporting(url: str, folder: Path, patience: Patience = HASTE) -> AsyncIterator[Reporter]:
    reporter = Reporter(url, "secret-token", folder, patience=patience)
    task = asyncio.create_task(reporter.run())
    try:
        yield reporter
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        reporter.close()


def firing(now: datetime, name: str = "JourneyDown", hold: float = 120) -> Alert:
    return Alert({"alertname": name, "service": "payment"}, now - timedelta(seconds=5), now + timedelta(seconds=hold))


def ended(alert: Alert, now: datetime) -> Alert:
    return Alert(alert.labels, alert.starts_at, now)


def numbers(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"n": n} for n in range(start, start + count)]


async def test_alerts_and_results_arrive_with_the_token(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path) as reporter:
        await reporter.alerts([firing(now)], now)
        reporter.results({"journey": "checkout"})
        await receiver.wait_for(lambda: bool(receiver.alerts() and receiver.results()))
    assert receiver.alerts()[0]["labels"] == {"alertname": "JourneyDown", "service": "payment"}
    assert receiver.results() == [{"journey": "checkout"}]
    assert all("authorization: bearer secret-token" in head.lower() for head in receiver.headers)
    assert all("content-type: application/json" in head.lower() for head in receiver.headers)


async def test_an_alert_is_on_disk_before_it_counts_as_said(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    reporter = Reporter("http://127.0.0.1:9", None, tmp_path)
    await reporter.alerts([firing(now)], now)
    text = "".join(path.read_text() for path in (tmp_path / "alerts").glob("*.jsonl"))
    assert "JourneyDown" in text
    reporter.close()


async def test_results_are_sent_in_order_and_in_batches(tmp_path: Path) -> None:
    async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path) as reporter:
        for result in numbers(700):
            reporter.results(result)
        await receiver.wait_for(lambda: len(receiver.results()) >= 700)
    assert receiver.results() == numbers(700)
    assert max(len(batch) for _, batch in receiver.taken) <= 256
    assert len(receiver.taken) <= 5


@pytest.mark.by_the_clock
@pytest.mark.parametrize("trouble", [503, 500, 502, 429, 408, 401, 403, 302, "hang", "die", "flood"])
async def test_whatever_the_receiver_does_nothing_is_lost_and_the_order_stays(tmp_path: Path, trouble: Any) -> None:
    patience = Patience(request=0.3, first=0.02, longest=0.1) if trouble == "hang" else HASTE
    async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path, patience) as reporter:
        receiver.behave = lambda path, records: trouble if len(receiver.asked) < 3 else 200
        for result in numbers(5):
            reporter.results(result)
        await receiver.wait_for(lambda: len(receiver.results()) >= 5)
    assert receiver.results() == numbers(5)
    assert len(receiver.asked) == 3


async def test_a_receiver_that_is_not_there_yet_gets_everything_when_it_comes(tmp_path: Path) -> None:
    receiver = Receiver()
    async with receiver.listening():
        port = receiver.port
    now = datetime.now(UTC)
    async with reporting(receiver.url, tmp_path) as reporter:
        await reporter.alerts([firing(now)], now)
        reporter.results({"n": 1})
        await asyncio.sleep(0.3)
        async with receiver.listening(port):
            await receiver.wait_for(lambda: bool(receiver.alerts() and receiver.results()))


async def test_what_one_process_could_not_send_the_next_one_sends(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with reporting("http://127.0.0.1:9", tmp_path) as reporter:
        await reporter.alerts([firing(now)], now)
        for result in numbers(3):
            reporter.results(result)
    async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path):
        await receiver.wait_for(lambda: bool(receiver.alerts()) and len(receiver.results()) == 3)
    assert receiver.results() == numbers(3)


async def test_what_was_delivered_is_not_sent_again_after_a_restart(tmp_path: Path) -> None:
    async with Receiver().listening() as receiver:
        async with reporting(receiver.url, tmp_path) as reporter:
            reporter.results({"n": 0})
            await receiver.wait_for(lambda: bool(receiver.results()))
            await settle()
        async with reporting(receiver.url, tmp_path) as reporter:
            reporter.results({"n": 1})
            await receiver.wait_for(lambda: len(receiver.results()) >= 2)
    assert receiver.results() == numbers(2)


@pytest.mark.by_the_clock
async def test_retry_after_is_obeyed(tmp_path: Path) -> None:
    times: list[float] = []
    loop = asyncio.get_running_loop()

    def behave(path: str, records: list[Any]) -> Any:
        times.append(loop.time())
        return (503, "Retry-After: 1\r\n") if len(times) == 1 else 200

    async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path) as reporter:
        receiver.behave = behave
        reporter.results({"n": 0})
        await receiver.wait_for(lambda: bool(receiver.results()))
    assert 0.95 <= times[1] - times[0] < 2


@pytest.mark.parametrize(
    "nonsense", ["soon", "-5", "1e9999", "Thu, 99 Nonsense", "", f"Mon, 01 Jan {10**20} 00:00:00 GMT"]
)
async def test_a_senseless_retry_after_is_ignored(tmp_path: Path, nonsense: str) -> None:
    async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path) as reporter:
        receiver.behave = lambda path, records: (
            (503, f"Retry-After: {nonsense}\r\n") if len(receiver.asked) == 1 else 200
        )
        reporter.results({"n": 0})
        await receiver.wait_for(lambda: bool(receiver.results()))


async def test_the_one_report_that_is_refused_is_set_aside_and_the_others_arrive(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path) as reporter:
            receiver.behave = lambda path, records: 400 if {"n": 37} in records else 200
            for result in numbers(100):
                reporter.results(result)
            await receiver.wait_for(lambda: len(receiver.results()) >= 99)
            await settle()
    assert receiver.results() == [result for result in numbers(100) if result != {"n": 37}]
    [line] = (tmp_path / "rejected-results.jsonl").read_text().splitlines()
    assert json.loads(json.loads(line)["record"]) == {"n": 37}
    assert json.loads(line)["answer"] == "400 {}"
    [entry] = [entry for entry in logs if "set aside" in entry["event"]]
    assert entry["log_level"] == "error"


async def test_refused_results_do_not_hold_up_alerts(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path) as reporter:
        receiver.behave = lambda path, records: "hang" if path.endswith("results") else 200
        reporter.results({"n": 0})
        await receiver.wait_for(lambda: bool(receiver.asked))
        await reporter.alerts([firing(now)], now)
        await receiver.wait_for(lambda: bool(receiver.alerts()), HASTE.request / 2)


@pytest.mark.parametrize("status", [404, 405, 410])
async def test_a_receiver_without_results_such_as_an_alertmanager_still_gets_alerts(
    tmp_path: Path, status: int
) -> None:
    now = datetime.now(UTC)
    async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path) as reporter:
        receiver.behave = lambda path, records: status if path.endswith("results") else 200
        for _ in range(3):
            reporter.results({"n": 0})
            await asyncio.sleep(0.3)
        await reporter.alerts([firing(now)], now)
        await receiver.wait_for(lambda: bool(receiver.alerts()))
    assert len([path for path, _ in receiver.asked if path.endswith("results")]) == 1
    assert not (tmp_path / "rejected-results.jsonl").exists()


async def test_a_wrong_address_does_not_lose_alerts(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with capture_logs() as logs:
        async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path) as reporter:
            receiver.behave = lambda path, records: 404 if len(receiver.asked) < 4 else 200
            await reporter.alerts([firing(now)], now)
            await receiver.wait_for(lambda: bool(receiver.alerts()))
    assert any("right address" in entry.get("why", "") for entry in logs)


async def test_an_alert_that_waited_long_does_not_arrive_as_over(tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=3)
    reporter = Reporter("http://127.0.0.1:9", None, tmp_path)
    await reporter.alerts([firing(long_ago)], long_ago)
    reporter.close()
    async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path):
        await receiver.wait_for(lambda: bool(receiver.alerts()))
    [alert] = receiver.alerts()
    left = datetime.fromisoformat(alert["endsAt"]) - datetime.now(UTC)
    assert timedelta(seconds=100) < left <= timedelta(seconds=120)
    assert datetime.fromisoformat(alert["startsAt"]) == long_ago - timedelta(seconds=5)


async def test_an_end_arrives_after_its_beginning_and_with_its_own_time(tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=3)
    alert = firing(long_ago)
    async with reporting("http://127.0.0.1:9", tmp_path) as reporter:
        await reporter.alerts([alert], long_ago)
        await reporter.alerts([ended(alert, long_ago + timedelta(minutes=1))], long_ago + timedelta(minutes=1))
    async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path):
        await receiver.wait_for(lambda: len(receiver.alerts()) == 2)
    ends = [datetime.fromisoformat(alert["endsAt"]) for alert in receiver.alerts()]
    assert ends[0] > datetime.now(UTC)
    assert ends[1] == long_ago + timedelta(minutes=1)


async def test_repetitions_of_a_waiting_alert_do_not_fill_the_disk(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with Receiver().listening() as receiver:
        receiver.behave = lambda path, records: 503
        async with reporting(receiver.url, tmp_path) as reporter:
            for second in range(1000):
                again = now + timedelta(seconds=second)
                alert = Alert({"alertname": "JourneyDown"}, now, again + timedelta(minutes=2))
                await reporter.alerts([alert], again)
            receiver.behave = lambda path, records: 200
            await receiver.wait_for(lambda: bool(receiver.alerts()))
            assert len(receiver.alerts()) == 1
            await settle()
            await reporter.alerts([Alert({"alertname": "JourneyDown"}, now, now + timedelta(hours=1))], now)
            await receiver.wait_for(lambda: len(receiver.alerts()) == 2)  # delivered: the next repetition counts again


async def test_rubbish_in_the_spool_is_left_out_and_said(tmp_path: Path) -> None:
    reporter = Reporter("http://127.0.0.1:9", None, tmp_path)
    reporter.results({"n": 0})
    reporter.close()
    [segment] = (tmp_path / "results").glob("0*.jsonl")
    segment.write_bytes(segment.read_bytes() + b"\0\0\0\0{oops\n")
    with capture_logs() as logs:
        async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path) as reporter:
            reporter.results({"n": 1})
            await receiver.wait_for(lambda: len(receiver.results()) >= 2)
    assert receiver.results() == numbers(2)
    assert [entry["reports"] for entry in logs if "unreadable" in entry["event"]] == [1]


async def test_hostile_lines_among_the_alerts_do_not_stop_the_others(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    reporter = Reporter("http://127.0.0.1:9", None, tmp_path)
    await reporter.alerts([firing(now, "Before")], now)
    reporter.close()
    [segment] = (tmp_path / "alerts").glob("0*.jsonl")
    rubbish = [
        "[" * 100_000,
        '{"alert": {"endsAt": "x"}, "hold": 1e999}',
        '{"alert": [], "hold": 1}',
        '{"alert": {}}',
        "7",
    ]
    segment.write_bytes(segment.read_bytes() + "\n".join([*rubbish, ""]).encode())
    async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path) as reporter:
        await reporter.alerts([firing(now, "After")], now)
        await receiver.wait_for(lambda: len(receiver.alerts()) >= 2)
    assert [alert["labels"]["alertname"] for alert in receiver.alerts()] == ["Before", "After"]


async def test_the_outage_is_said_when_it_begins_and_when_it_ends_but_not_all_the_time(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path) as reporter:
            receiver.behave = lambda path, records: 503 if len(receiver.asked) < 12 else 200
            reporter.results({"n": 0})
            await receiver.wait_for(lambda: bool(receiver.results()))
            await settle()
    assert [entry["attempts"] for entry in logs if "wait on disk" in entry["event"]] == [1, 2, 4, 8]
    assert [entry["attempts"] for entry in logs if "taken again" in entry["event"]] == [11]


async def test_the_token_stays_out_of_the_log_and_the_spool(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with Receiver().listening() as receiver, reporting(receiver.url, tmp_path) as reporter:
            receiver.behave = lambda path, records: 401 if len(receiver.asked) < 3 else 200
            reporter.results({"n": 0})
            await receiver.wait_for(lambda: bool(receiver.results()))
    assert "secret-token" not in repr(logs)
    assert any("SHOPWATCH_TOKEN" in entry.get("why", "") for entry in logs)
    assert all(b"secret-token" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("url", ["", "shop.example", "ftp://shop.example", "http://", "http://[", "file:///etc/passwd"])
async def test_an_address_that_cannot_be_reported_to_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadReceiver, match="--report-to"):
        Reporter(url, None, tmp_path)


async def test_reporting_imports_no_second_event_loop_in_the_middle_of_the_first(tmp_path: Path) -> None:
    """httpx's stock transport imports trio, where it is installed, at its first request: seconds on a busy machine."""
    script = (
        "import asyncio, sys; from pathlib import Path; from probes.prober.report import Reporter\n"
        "async def main():\n"
        f"    reporter = Reporter('http://127.0.0.1:9', None, Path({str(tmp_path)!r}))\n"
        "    reporter.results({'n': 0}); task = asyncio.create_task(reporter.run())\n"
        "    await asyncio.sleep(0.6); task.cancel(); await asyncio.gather(task, return_exceptions=True)\n"
        "    reporter.close(); print('trio' in sys.modules)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    said, _ = await process.communicate()
    assert said.split()[-1] == b"False"
