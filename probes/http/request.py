"""A request as bytes."""

import re
from collections.abc import AsyncIterator

import httpx

from probes.http.errors import TransportError
from probes.result import Reason

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_BREAKS_LINE = re.compile(rb"[\x00\r\n]").search
_BREAKS_TARGET = re.compile(rb"[\x00-\x20\x7f]").search


def head(request: httpx.Request) -> bytes:
    """The request line and the header. Raises TransportError (config) for what would not stay on its line."""
    method, target = request.method.encode("ascii", "replace"), request.url.raw_path
    if not _TOKEN(method) or _BREAKS_TARGET(target):
        raise TransportError(Reason.CONFIG, f"not a request that can be sent: {request.method} {target!r}")
    lines = [b"%b %b HTTP/1.1\r\n" % (method, target)]
    for name, value in request.headers.raw:
        if not _TOKEN(name):
            raise TransportError(Reason.CONFIG, f"not the name of a header: {name!r}")
        if _BREAKS_LINE(value):
            raise TransportError(Reason.CONFIG, f"a header's value cannot hold a line break or NUL: {name.decode()}")
        lines.append(b"%b: %b\r\n" % (name, value))
    lines.append(b"\r\n")
    return b"".join(lines)


async def body(request: httpx.Request) -> AsyncIterator[bytes]:
    """The body in the pieces in which it is sent, with chunk marks where the request's header promises them."""
    assert isinstance(request.stream, httpx.AsyncByteStream)
    chunked = request.headers.get("transfer-encoding", "").lower() == "chunked"
    async for piece in request.stream:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
    if chunked:
        yield b"0\r\n\r\n"
