"""The body of an answer, decoded within a bound: a few kilobytes of gzip can hold gigabytes."""

import asyncio
import zlib

import httpx

from probes.http.errors import TransportError
from probes.result import Reason

ACCEPT_ENCODING = "gzip, deflate"
MAX_BODY = 2 * 1024 * 1024  # bytes, both as sent and as decoded

_MAX_CODINGS = 4  # one upon another
_MAX_MEMBERS = 256  # of one gzip: each costs a copy of all that follows it
_AT_ONCE_RAW, _AT_ONCE = 64 << 10, 256 << 10  # bytes before and after, which take a millisecond at the most

_UNASKED = {"br", "zstd", "compress", "x-compress"}


def decode(raw: bytes, content_encoding: str, limit: int) -> bytes:
    """Undoes `Content-Encoding`, the last one first. Codings that are none are left alone, as browsers do.

    Raises TransportError (body): damaged, cut off, followed by other bytes, or larger than `limit` bytes.
    """
    codings = [part.strip().lower() for part in content_encoding.split(",")]
    if len(codings) > _MAX_CODINGS:
        raise TransportError(Reason.BODY, f"the body is encoded {len(codings)} times over")
    for coding in reversed(codings):
        if not raw:
            break  # an answer without a body may still name an encoding
        if coding in ("gzip", "x-gzip"):
            raw = _inflate(raw, "gzip", 16 + zlib.MAX_WBITS, limit)
        elif coding == "deflate":
            raw = _inflate(raw, "deflate", _deflate_bits(raw), limit)
        elif coding in _UNASKED:
            raise TransportError(Reason.BODY, f"the body is encoded as {coding}, which was not asked for")
    return raw


class _TooLarge(TransportError):
    """More came out than the limit allows."""


async def decode_aside(raw: bytes, content_encoding: str, limit: int) -> bytes:
    """As `decode`; what may take longer than a millisecond is done in a thread, where zlib holds up nobody."""
    if len(raw) <= _AT_ONCE_RAW and "," not in content_encoding:
        try:
            return decode(raw, content_encoding, min(limit, _AT_ONCE))
        except _TooLarge:
            if limit <= _AT_ONCE:
                raise
    return await asyncio.to_thread(decode, raw, content_encoding, limit)


def _deflate_bits(raw: bytes) -> int:
    """`deflate` means zlib's format, but some servers send it bare."""
    zlib_format = raw[0] & 0x0F == 8 and len(raw) > 1 and int.from_bytes(raw[:2], "big") % 31 == 0
    return zlib.MAX_WBITS if zlib_format else -zlib.MAX_WBITS


def _inflate(raw: bytes, coding: str, bits: int, limit: int) -> bytes:
    decoded = bytearray()
    members = 0
    while raw:  # gzip may come in several members
        members += 1
        if members > _MAX_MEMBERS:
            raise TransportError(Reason.BODY, f"the body's gzip has more than {_MAX_MEMBERS} members")
        inflater = zlib.decompressobj(bits)
        try:
            decoded += inflater.decompress(raw, limit + 1 - len(decoded))
        except zlib.error as error:
            raise TransportError(Reason.BODY, f"the body is not the {coding} that it claims to be: {error}") from error
        if len(decoded) > limit:
            raise _TooLarge(Reason.BODY, f"the body is over {limit} bytes once decoded")
        if not inflater.eof:
            raise TransportError(Reason.BODY, f"the body's {coding} is cut off after {len(decoded)} decoded bytes")
        if coding != "gzip" and inflater.unused_data:
            raise TransportError(Reason.BODY, f"bytes follow the end of the body's {coding}")
        raw = inflater.unused_data.lstrip(b"\0")
    return bytes(decoded)


async def read_body(response: httpx.Response, limit: int = MAX_BODY) -> bytes:
    """The decoded body; also kept as `response.content`. Raises TransportError, at `limit` bytes (reason body) too.

    Needed for answers of other transports only: those of `Transport` are bounded however they are read.
    """
    raw = bytearray()
    async for piece in response.aiter_raw():
        raw += piece
        if len(raw) > limit:
            await response.aclose()
            raise TransportError(Reason.BODY, f"the body is over {limit} bytes")
    return decode(bytes(raw), response.headers.get("content-encoding", ""), limit)
