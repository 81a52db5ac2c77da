"""What the prober says goes over HTTP to the daemon (or to an Alertmanager), by way of a spool on disk.

Two queues that never wait for each other: alerts, on disk before they count as said, and results, which may be half a
second late and which a crash of the machine may cost. A batch is delivered when the receiver answered 2xx.
"""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog

from probes.alert import Alert
from probes.errors import ProbesError
from probes.http import Transport
from probes.prober.spool import Batch, Limits, Spool
from probes.waiting import retry_after

log = structlog.get_logger("report")

ALERTS_PATH = "/api/v2/alerts"
RESULTS_PATH = "/api/v1/results"
MOST = 256  # records in a batch
AT_ONCE = 50  # records that are read or written before others get their turn: some 2 ms
LINGER = 0.25  # seconds that results wait for company
REJECTED_BYTES = 4 << 20
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


class BadReceiver(ProbesError):
    """`--report-to` is not an address that reports can be sent to."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for one request, the first and the longest pause between attempts, the longest Retry-After obeyed, and
    for how long a receiver that takes no results (an Alertmanager) is not asked again."""

    request: float = 10.0
    first: float = 0.2
    longest: float = 10.0
    retry_after: float = 300.0
    not_taken: float = 600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`kind`: delivered, later (try again), refused (this batch, for good), or not taken (no such thing here)."""

    kind: str
    why: str = ""
    after: float | None = None  # seconds that the receiver asked for
    status: int | None = None


class Reporter:
    """Start `run()` as a task. `alerts` and `results` work before, during and without it: the spool keeps them."""

    def __init__(self, url: str, token: str | None, folder: Path, *, patience: Patience | None = None) -> None:
        self._base = _checked(url)
        self._headers = {"Content-Type": "application/json"}
        self.use_token(token)
        self._patience = patience or Patience()
        self._unsent: set[tuple[str, datetime]] = set()
        self._results: list[bytes] = []
        self._have_results = asyncio.Event()
        limits = Limits(disk=64 << 20)
        self._alert_queue = _Queue("alerts", ALERTS_PATH, Spool(folder / "alerts", log.error, limits), folder, _refresh)
        self._result_queue = _Queue("results", RESULTS_PATH, Spool(folder / "results", log.error), folder, _as_it_is)

    def use_token(self, token: str | None) -> None:
        """From the next request on."""
        self._headers.pop("Authorization", None)
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    async def alerts(self, alerts: Sequence[Alert], now: datetime) -> None:
        """Durable on return. Alerts that fire need no repetition here while they still wait in the spool."""
        records = []
        for number, alert in enumerate(alerts, 1):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            key = (alert.fingerprint, alert.starts_at)
            firing = alert.ends_at > now
            if firing and key in self._unsent:
                continue
            if firing:
                self._unsent.add(key)
            hold = (alert.ends_at - now).total_seconds() if firing else 0.0
            records.append(json.dumps({"alert": alert.to_json(), "hold": hold}).encode())
        if records:
            await asyncio.to_thread(self._alert_queue.spool.append, records, durable=True)
            self._alert_queue.more.set()

    def results(self, result: dict[str, Any]) -> None:
        """`result`: as Result.to_json() gives it. Returns at once; spooled within a quarter of a second."""
        self._results.append(json.dumps(result, default=str).encode())
        self._have_results.set()

    async def ask(self, path: str, body: bytes) -> Answer:
        """One request besides the queues, tried once."""
        async with httpx.AsyncClient(transport=Transport(), trust_env=False) as client:
            return await self._post(client, self._base + path, body)

    @property
    def waiting(self) -> int:
        """Bytes of reports that the receiver has not taken yet."""
        return self._alert_queue.spool.waiting + self._result_queue.spool.waiting

    @property
    def trouble(self) -> str | None:
        """Why reports are held in memory at present, None where they are not."""
        return self._alert_queue.spool.trouble or self._result_queue.spool.trouble

    async def run(self) -> None:
        """Sends until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._spool_results())
            for queue in (self._alert_queue, self._result_queue):
                group.create_task(self._send_all(queue))

    def close(self) -> None:
        """Puts on disk what is still in memory; call it after `run` has ended."""
        self._result_queue.spool.append(self._take_results(), durable=False)
        self._alert_queue.spool.close()
        self._result_queue.spool.close()

    async def _spool_results(self) -> None:
        while True:
            await self._have_results.wait()
            await asyncio.sleep(LINGER)
            await asyncio.to_thread(self._result_queue.spool.append, self._take_results(), durable=False)
            self._result_queue.more.set()

    def _take_results(self) -> list[bytes]:
        records, self._results = self._results, []
        self._have_results.clear()
        return records

    async def _send_all(self, queue: "_Queue") -> None:
        """With our own transport: the usual one imports its second event loop, in the middle of ours."""
        async with httpx.AsyncClient(transport=Transport(), trust_env=False) as client:
            await self._send(client, queue)

    async def _send(self, client: httpx.AsyncClient, queue: "_Queue") -> None:
        pause, failures, most = self._patience.first, 0, MOST
        while True:
            queue.more.clear()
            batch = await asyncio.to_thread(queue.spool.peek, most)
            if not batch.records:
                await queue.more.wait()
                continue
            answer = await self._deliver(client, queue, batch)
            if answer.kind == "later":
                failures += 1
                if failures & (failures - 1) == 0:  # the 1st, 2nd, 4th, 8th …
                    log.warning("reports wait on disk", queue=queue.name, why=answer.why, attempts=failures)
                await asyncio.sleep(self._pause(pause, answer.after))
                pause = min(pause * 2, self._patience.longest)
                continue
            if failures:
                log.info("reports are taken again", queue=queue.name, attempts=failures)
            pause, failures = self._patience.first, 0
            if answer.kind == "refused" and len(batch.records) > 1:
                most = max(1, len(batch.records) // 2)  # find the one that it does not like
                continue
            most = min(MOST, most * 2)
            await self._settle(queue, batch, answer)

    def _pause(self, pause: float, asked: float | None) -> float:
        return min(asked, self._patience.retry_after) if asked is not None else pause * random.uniform(0.5, 1.0)  # noqa: S311

    async def _settle(self, queue: "_Queue", batch: Batch, answer: Answer) -> None:
        """The batch leaves the queue, delivered or not."""
        if answer.kind == "refused":
            log.error("a report was refused and set aside", queue=queue.name, why=answer.why, file=str(queue.rejected))
            await asyncio.to_thread(_set_aside, queue.rejected, batch, answer)
        await asyncio.to_thread(queue.spool.acknowledge, batch)
        if queue is self._alert_queue:
            self._unsent -= {key for record in batch.records if (key := _key(record)) is not None}

    async def _deliver(self, client: httpx.AsyncClient, queue: "_Queue", batch: Batch) -> Answer:
        loop = asyncio.get_running_loop()
        if queue.not_taken_until > loop.time():
            return Answer("not taken")
        records: list[bytes] = []
        for number, line in enumerate(batch.records, 1):
            if (record := queue.prepare(line)) is not None:
                records.append(record)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        if len(records) < len(batch.records):
            left_out = len(batch.records) - len(records)
            log.error("unreadable reports in the spool are left out", queue=queue.name, reports=left_out)
        if not records:
            return Answer("delivered")
        answer = await self._post(client, self._base + queue.path, b"[" + b",".join(records) + b"]")
        if answer.kind == "missing":
            if queue is self._alert_queue:
                return Answer("later", f"{answer.why}: is --report-to the right address?")
            queue.not_taken_until = loop.time() + self._patience.not_taken
            log.warning("the receiver takes no results; alerts only", receiver=self._base, why=answer.why)
            return Answer("not taken")
        return answer

    async def _post(self, client: httpx.AsyncClient, url: str, body: bytes) -> Answer:
        deadline = {"deadline": asyncio.get_running_loop().time() + self._patience.request}
        try:
            async with (
                asyncio.timeout(self._patience.request + 1.0),
                client.stream("POST", url, content=body, headers=self._headers, extensions=deadline) as response,
            ):
                said = b""
                async for chunk in response.aiter_raw():
                    said += chunk
                    if len(said) > 4096:
                        break  # it talks too much; the status has been read
                return _judge(response, said[:300].decode(errors="replace"))
        except TimeoutError:
            return Answer("later", f"no answer within {self._patience.request:g} s")
        except (httpx.HTTPError, OSError) as error:
            return Answer("later", str(error) or type(error).__name__)


class _Queue:
    def __init__(
        self, name: str, path: str, spool: Spool, folder: Path, prepare: Callable[[bytes], bytes | None]
    ) -> None:
        self.name = name
        self.path = path
        self.spool = spool
        self.rejected = folder / f"rejected-{name}.jsonl"
        self.prepare = prepare
        self.more = asyncio.Event()
        self.not_taken_until = float("-inf")


def _judge(response: httpx.Response, said: str) -> Answer:
    status = response.status_code
    why = f"{status} {said}".strip()
    if response.is_success:
        return Answer("delivered", status=status)
    if status in (404, 405, 410):
        return Answer("missing", why, status=status)
    if status in (401, 403):
        return Answer("later", f"{why}: is SHOPWATCH_TOKEN right?", status=status)
    if response.is_client_error and status not in (408, 425, 429):
        return Answer("refused", why, status=status)
    return Answer("later", why, retry_after(response.headers.get("Retry-After"), datetime.now(UTC)), status)


def _refresh(line: bytes) -> bytes | None:
    """An alert that fired when it was spooled fires still, or its end follows it: it must not arrive as over."""
    try:
        record = json.loads(line)
        alert, hold = record["alert"], float(record["hold"])
        if hold > 0:
            until = datetime.now(UTC) + timedelta(seconds=hold)
            alert["endsAt"] = max(until, datetime.fromisoformat(alert["endsAt"])).isoformat()
        return json.dumps(alert).encode()
    except _UNREADABLE:
        return None


def _as_it_is(line: bytes) -> bytes | None:
    try:
        json.loads(line)
    except _UNREADABLE:
        return None
    return line


def _key(line: bytes) -> tuple[str, datetime] | None:
    try:
        alert = json.loads(line)["alert"]
        starts_at = datetime.fromisoformat(alert["startsAt"])
        return Alert(alert["labels"], starts_at, starts_at).fingerprint, starts_at
    except _UNREADABLE:
        return None


def _set_aside(path: Path, batch: Batch, answer: Answer) -> None:
    at = datetime.now(UTC).isoformat()
    try:
        if path.exists() and path.stat().st_size > REJECTED_BYTES:
            path.replace(path.with_suffix(".jsonl.1"))
        with path.open("a", encoding="utf-8") as file:
            for record in batch.records:
                text = record.decode(errors="replace")
                file.write(json.dumps({"at": at, "answer": answer.why, "record": text}) + "\n")
    except OSError as error:
        log.error("a refused report could not be set aside", error=str(error))


def _checked(url: str) -> str:
    try:
        parsed = urlsplit(url)
        usable = parsed.scheme in ("http", "https") and bool(httpx.URL(url).host)
    except (ValueError, httpx.InvalidURL) as error:
        raise BadReceiver(f"--report-to {url!r}: {error}") from None
    if not usable:
        raise BadReceiver(f"--report-to {url!r}: give an http or https address, such as http://127.0.0.1:8470")
    return url.rstrip("/")
