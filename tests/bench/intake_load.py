"""Alerts as Prometheus sends them, and senders that keep their connections: the load for both sides, prepared ahead."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

BATCH = 64
SENDERS = 8
_ALERT = (
    '{{"labels":{{"alertname":"{kind}","cluster":"eu-{zone}","instance":"10.1.{block}.{host}:9100",'
    '"job":"node","service":"service-{service}","severity":"{severity}","team":"team-{team}","item":"{item}"}},'
    '"annotations":{{"summary":"{kind} on 10.1.{block}.{host}",'
    '"description":"{kind} has been above its threshold for more than five minutes: {percent}% of requests failed"}},'
    '"startsAt":"{starts}","endsAt":"{ends}",'
    '"generatorURL":"http://prometheus.example:9090/graph?g0.expr=rate%28errors%5B5m%5D%29+%3E+0.05&g0.tab=1"}}'
)
_KINDS = ("HighErrorRate", "HighLatency", "DiskFilling", "TargetDown", "QueueGrowing")
SERVICES = 50


def batches(first: int, count: int, now: datetime) -> list[bytes]:
    """The bodies of requests with the alerts numbered `first` and on; the same number is the same alert."""
    ends = _written(now + timedelta(hours=1))
    written = [_alert(number, ends) for number in range(first, first + count)]
    return [f"[{','.join(written[start : start + BATCH])}]".encode() for start in range(0, count, BATCH)]


def _alert(number: int, ends: str) -> str:
    return _ALERT.format(
        kind=_KINDS[number % len(_KINDS)],
        zone=number % 3,
        block=number // 250 % 250,
        host=number % 250,
        service=number % SERVICES,
        severity=("critical", "warning")[number % 2],
        team=number % 7,
        item=number,
        percent=number % 100,
        starts=_written(_STARTED + timedelta(milliseconds=number)),
        ends=ends,
    )


_STARTED = datetime.now(UTC) - timedelta(minutes=1)


def _written(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Sent:
    """`seconds` for all of it, and of each request."""

    seconds: float
    each: Sequence[float]

    @property
    def p99(self) -> float:
        return sorted(self.each)[len(self.each) * 99 // 100]


def send(port: int, bodies: Sequence[bytes]) -> Sent:
    """By `SENDERS` at a time, each over one connection. Raises RuntimeError where one is not answered with 200."""
    head = f"POST /api/v2/alerts HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    requests = [f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies]
    left, each, failures = iter(requests), list[float](), list[str]()
    lock = threading.Lock()

    def work() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for request in _shared(left, lock):
                began = time.perf_counter()
                connection.sendall(request)
                status, _ = answer(connection)
                each.append(time.perf_counter() - began)
                if status != 200:
                    failures.append(f"answered {status}")
                    return

    threads = [threading.Thread(target=work) for _ in range(SENDERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if failures or len(each) != len(requests):
        raise RuntimeError(f"{len(each)} of {len(requests)} batches were answered; {failures[:3]}")
    return Sent(seconds, each)


def _shared(requests: Iterator[bytes], lock: threading.Lock) -> Iterator[bytes]:
    while True:
        with lock:
            request = next(requests, None)
        if request is None:
            return
        yield request


def fetch(port: int) -> tuple[float, bytes]:
    """Seconds for `GET /api/v2/alerts`, and what it says."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        began = time.perf_counter()
        connection.sendall(f"GET /api/v2/alerts HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        status, body = answer(connection)
        took = time.perf_counter() - began
    if status != 200:
        raise RuntimeError(f"GET was answered {status}: {body[:200]!r}")
    return took, body


def answer(connection: socket.socket) -> tuple[int, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    fields = head.lower().split(b"\r\n")
    status = int(fields[0].split()[1])
    parts = [body]
    if any(field == b"transfer-encoding: chunked" for field in fields):
        while not parts[-1].endswith(b"0\r\n\r\n"):
            parts.append(_some(connection))
        return status, _unchunked(b"".join(parts))
    lengths = [int(field.partition(b":")[2]) for field in fields if field.startswith(b"content-length:")]
    missing = (lengths[0] if lengths else 0) - len(body)
    while missing > 0:
        parts.append(_some(connection))
        missing -= len(parts[-1])
    return status, b"".join(parts)


def _unchunked(data: bytes) -> bytes:
    parts: list[bytes] = []
    place = 0
    while True:
        end = data.index(b"\r\n", place)
        size = int(data[place:end], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(data[end + 2 : end + 2 + size])
        place = end + 2 + size + 2


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 20)
    if not data:
        raise RuntimeError("the connection was closed in the middle of an answer")
    return data
