"""One answer, taken apart as its bytes come. Whatever the server sends, this stays small and ends in one error."""

import asyncio
import ssl

import httptools

from probes.http import tls
from probes.http.errors import TransportError
from probes.http.exchange import Exchange
from probes.result import Reason

MAX_HEADER_BYTES = 65_536
MAX_HEADER_LINES = 200
_MAX_INTERIM = 20  # answers 1xx before the real one
_MAX_OVERHEAD = 8  # bytes on the wire for one of the largest body allowed: chunk marks are not free of charge
_TOO_MUCH = "more came after the end of the answer that was announced"


class Answer:
    """The receiver of a channel for one exchange.

    `head_complete`, `complete` and `error` tell how far it is; `changed` waits for the next of them. `body` is what
    came, still encoded. `keep_alive` says whether the connection can carry another exchange.

    It and its parser hold each other until `let_go`, which whoever made it calls when nothing more is to be received:
    else the body would stay in memory until the collector comes by.
    """

    def __init__(self, method: str, exchange: Exchange, max_body: int) -> None:
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self.exchange = exchange
        self._max_body = max_body
        self._bodiless = method == "HEAD"
        self._waiter: asyncio.Future[None] | None = None
        self._interim = 0
        self._header_bytes = 0
        self._header_lines = 0
        self._in_head = False
        self._until_close = False
        self.bytes_received = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.status = 0
        self.reason_phrase = b""
        self.body = bytearray()
        self.head_complete = False
        self.complete = False
        self.keep_alive = False
        self.error: TransportError | None = None

    async def changed(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def fail(self, reason: Reason, message: str) -> None:
        """The first failure counts."""
        if self.error is None:
            self.exchange.stop()
            self.keep_alive = False
            status = self.status if self.head_complete else None
            self.error = TransportError(reason, message, self.exchange.phases, status)
        self._wake()

    def let_go(self) -> None:
        self._parser = None

    def fail_late(self) -> None:
        self.fail(Reason.TIMEOUT, f"{self._missing()} within {self.exchange.allowance}")

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the channel says

    def received(self, data: bytes) -> bool:
        if self.error is not None or self._parser is None:
            return False
        if not self.bytes_received:
            self.exchange.enter("transfer")
        self.bytes_received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.fail(Reason.STATUS, f"answered {self.status} and changed to another protocol, unasked")
        except httptools.HttpParserError as error:
            self._not_http(error)
        if not self.head_complete and self.bytes_received > MAX_HEADER_BYTES:
            self.fail(Reason.HEADER, f"the header is over {MAX_HEADER_BYTES} bytes")
        elif self.bytes_received > MAX_HEADER_BYTES + _MAX_OVERHEAD * self._max_body:
            self.fail(Reason.BODY, f"{self.bytes_received} bytes came for a body of {len(self.body)}")
        return self.error is None

    def ended(self, error: OSError | None) -> None:
        self.keep_alive = False
        if self.complete or self.error is not None:
            return
        if isinstance(error, ssl.SSLError):
            self.fail(Reason.TLS, f"the TLS session broke: {tls.explain(error)}")
        elif error is not None:
            self.fail(Reason.CONNECT, f"{self._progress()}: {error.strerror or error}")
        elif self._until_close:
            self._finish()
        elif self.head_complete:
            self.fail(Reason.BODY, f"the body is shorter than announced: {self._body_progress()}")
        elif self.bytes_received:
            self.fail(Reason.HEADER, "the server closed the connection in the middle of the header")
        else:
            self.fail(Reason.CONNECT, "the server closed the connection without an answer")

    def _progress(self) -> str:
        if not self.bytes_received:
            return "no answer"
        return "the body broke off" if self.head_complete else "the header broke off"

    def _body_progress(self) -> str:
        announced = next((value for name, value in self.headers if name.lower() == b"content-length"), None)
        of = f" of {announced.decode('ascii', 'replace')}" if announced is not None else ""
        return f"{len(self.body)}{of} bytes came"

    def _missing(self) -> str:
        if not self.bytes_received:
            return "no answer"
        if not self.head_complete:
            return f"the header was not complete ({self.bytes_received} bytes came)"
        return f"the body was not complete ({self._body_progress()})"

    def _not_http(self, error: httptools.HttpParserError) -> None:
        text = str(error)
        if self.error is not None:
            return
        if self.complete:
            self.fail(Reason.BODY, _TOO_MUCH)
        elif "Content-Length" in text or "Transfer-Encoding" in text:
            self.fail(Reason.BODY, f"the header lies about the body's length: {text}")
        elif self.head_complete:
            self.fail(Reason.BODY, f"the body is not what its header announced: {text}")
        elif self._in_head or "header" in text:
            self.fail(Reason.HEADER, f"the header is not HTTP: {text}")
        else:
            self.fail(Reason.STATUS, f"the answer is not HTTP: {text}")

    # What the parser says

    def on_message_begin(self) -> None:
        if self.complete:
            self.fail(Reason.BODY, _TOO_MUCH)

    def on_status(self, reason_phrase: bytes) -> None:
        self._in_head = True
        self.reason_phrase += reason_phrase

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        self._header_lines += 1
        if not self.head_complete:  # what trails a chunked body says nothing about the answer
            self.headers.append((name, value))
        if self._header_bytes > MAX_HEADER_BYTES:
            self.fail(Reason.HEADER, f"the header is over {MAX_HEADER_BYTES} bytes")
        elif self._header_lines > MAX_HEADER_LINES:
            self.fail(Reason.HEADER, f"the header has over {MAX_HEADER_LINES} lines")

    def on_headers_complete(self) -> None:
        if self.complete or self.error is not None:
            return
        assert self._parser is not None  # it is calling
        self.status = self._parser.get_status_code()
        if self.status < 200:
            return
        self.head_complete = True
        self.exchange.http_version = f"HTTP/{self._parser.get_http_version()}"
        self.keep_alive = self._parser.should_keep_alive()
        self._judge_framing()
        if self._bodiless and self.error is None:
            self._finish()
        self._wake()

    def _judge_framing(self) -> None:
        lengths, codings = [], []
        for name, value in self.headers:
            lowered = name.lower()
            if lowered == b"content-length":
                lengths.append(value)
            elif lowered == b"transfer-encoding":
                codings.append(value.lower())
        if self._bodiless or self.status in (204, 304):
            return
        if codings and (lengths or codings != [b"chunked"]):
            shown = b", ".join(codings)[:100].decode("latin-1")
            extra = " beside a Content-Length" if lengths else ""
            self.fail(Reason.BODY, f"the header is unclear about the body's length: Transfer-Encoding {shown}{extra}")
        elif lengths and int(lengths[0]) > self._max_body:
            self.fail(Reason.BODY, f"the body is over {self._max_body} bytes: {int(lengths[0])} are announced")
        self._until_close = not lengths and not codings

    def on_body(self, data: bytes) -> None:
        if self.error is not None:
            return
        if self.complete:
            self.fail(Reason.BODY, "a body came with an answer that has none")
        elif len(self.body) + len(data) > self._max_body:
            self.fail(Reason.BODY, f"the body is over {self._max_body} bytes")
        else:
            self.body += data

    def on_message_complete(self) -> None:
        if self.status >= 200:
            if not self.complete and self.error is None:
                self._finish()
            return
        self._interim += 1
        self.headers.clear()
        self.reason_phrase = b""
        if self._interim > _MAX_INTERIM:
            self.fail(Reason.STATUS, f"over {_MAX_INTERIM} answers {self.status} and no real one")

    def _finish(self) -> None:
        self.complete = True
        self.exchange.stop()
        self._wake()
