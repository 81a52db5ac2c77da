"""A webhook receiver in a thread: keeps what it was sent, and answers as the test says."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import urlopen


@dataclass
class Received:
    headers: Mapping[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return self.headers["Idempotency-Key"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """`answers`: (status, headers) for the next requests; then 200. `delay`: seconds before each answer."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    delay: float = 0.0

    open: int = 0  # connections that are being served
    closed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def keys(self) -> list[str]:
        return [one.key for one in self.received]

    def settle(self) -> None:
        """Returns once all is received that was sent over connections which their senders have closed, or died with.

        They are taken up in their order: once this one of our own is answered, those before it have been.
        """
        with urlopen(self.url, timeout=30):
            pass
        with self.closed:
            assert self.closed.wait_for(lambda: self.open == 0, 30), "somebody still sends"

    def _counts(self, number: int) -> None:
        with self.closed:
            self.open += number
            self.closed.notify_all()


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.append(Received(dict(self.headers), body))
            time.sleep(receiver.delay)
            status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
            try:
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
            except OSError:
                self.close_connection = True  # the sender was killed meanwhile, which is what some tests are about

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def process_request(self, *args: Any) -> None:
            receiver._counts(1)
            super().process_request(*args)

        def shutdown_request(self, *args: Any) -> None:
            super().shutdown_request(*args)
            receiver._counts(-1)

    server = Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/ops"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
