"""A request, and how it goes over the wire."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx

from probes.http.errors import TransportError
from probes.http.headers import Pairs
from probes.http.url import Url
from probes.result import Reason

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_BREAKS_LINE = re.compile(rb"[\x00\r\n]").search
_BREAKS_TARGET = re.compile(rb"[\x00-\x20\x7f]").search


@dataclass(slots=True)
class Request:
    """`headers` are sent as they are: Host and Content-Length are among them. A body that comes piece by piece is the
    `stream`, one that is there is the `content`. `deadline`: of the loop's clock, for the last byte of the answer."""

    method: str
    url: Url
    headers: Pairs
    content: bytes
    deadline: float
    stream: httpx.AsyncByteStream | None = None


def from_httpx(request: httpx.Request, otherwise: float) -> Request:
    """`otherwise`: the deadline of a request that brings none in its extensions."""
    stream = request.stream
    deadline = request.extensions.get("deadline", otherwise)
    if isinstance(stream, httpx.ByteStream):
        return Request(request.method, Url(request.url), request.headers.raw, request.content, deadline)
    assert isinstance(stream, httpx.AsyncByteStream)
    return Request(request.method, Url(request.url), request.headers.raw, b"", deadline, stream)


def head(request: Request) -> bytes:
    """The request line and the header. Raises TransportError (config) for what would not stay on its line."""
    method, target = request.method.encode("ascii", "replace"), request.url.target
    if not _TOKEN(method) or _BREAKS_TARGET(target):
        raise TransportError(Reason.CONFIG, f"not a request that can be sent: {request.method} {target!r}")
    names, values = [name for name, _ in request.headers], [value for _, value in request.headers]
    if not all(names) or not _TOKEN(b"".join(names)) or _BREAKS_LINE(b"".join(values)):
        _check_each(request.headers)
    lines = b"".join([b"%b: %b\r\n" % pair for pair in request.headers])
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, lines)


def _check_each(headers: Pairs) -> None:
    """Raises TransportError (config) for the first that cannot be sent."""
    for name, value in headers:
        if not _TOKEN(name):
            raise TransportError(Reason.CONFIG, f"not the name of a header: {name!r}")
        if _BREAKS_LINE(value):
            raise TransportError(Reason.CONFIG, f"a header's value cannot hold a line break or NUL: {name.decode()}")


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """A streamed body in the pieces in which it is sent, with chunk marks where the header promises them."""
    assert request.stream is not None
    chunked = any(
        name.lower() == b"transfer-encoding" and value.lower() == b"chunked" for name, value in request.headers
    )
    async for piece in request.stream:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
    if chunked:
        yield b"0\r\n\r\n"
