"""What comes back: read whole, bounded, under the request's deadline; as it is, or as httpx's Response."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import httpx

from probes.http.answer import Answer
from probes.http.body import decode_aside
from probes.http.errors import TransportError
from probes.http.exchange import Exchange
from probes.http.headers import Headers


@dataclass(slots=True)
class Reply:
    """An answer to its last byte. `content` is decoded from gzip and its kin."""

    status: int
    headers: Headers
    content: bytes
    exchange: Exchange


class Body(httpx.AsyncByteStream):
    """The encoded body of one answer. `release`, called once, gives the connection back."""

    def __init__(self, answer: Answer, release: Callable[[], None]) -> None:
        self.answer = answer
        self._release: Callable[[], None] | None = release

    async def read(self) -> bytes:
        """The whole of it. Raises TransportError."""
        answer = self.answer
        try:
            if not answer.complete and answer.error is None:
                await self._end()
        finally:
            self.release()
        if answer.error is not None:
            raise answer.error
        return bytes(answer.body)

    async def decoded(self, encoding: str | None, limit: int) -> bytes:
        """The whole of it, without the encoding that its header names. Raises TransportError."""
        raw = await self.read()
        if encoding is None:
            return raw
        try:
            return await decode_aside(raw, encoding, limit)
        except TransportError as error:
            error.phases, error.status = self.answer.exchange.phases, self.answer.status
            raise

    async def _end(self) -> None:
        answer = self.answer
        try:
            async with asyncio.timeout_at(answer.exchange.deadline):
                while not answer.complete and answer.error is None:
                    await answer.changed()
        except TimeoutError:
            answer.fail_late()

    def release(self) -> None:
        if self._release is not None:
            release, self._release = self._release, None
            release()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield await self.read()

    async def aclose(self) -> None:
        self.release()


class Response(httpx.Response):
    """Decodes within a bound, where httpx's own decoders have none. Raises TransportError (body)."""

    def __init__(self, request: httpx.Request, body: Body, extensions: dict[str, object], max_body: int) -> None:
        answer = body.answer
        super().__init__(answer.status, headers=answer.headers, stream=body, request=request, extensions=extensions)
        self._body = body
        self._max_body = max_body

    async def aread(self) -> bytes:
        if not hasattr(self, "_content"):
            try:
                content = await self._body.decoded(self.headers.get("content-encoding"), self._max_body)
                self._content = content  # where httpx keeps it, for `text`, `json()` and the rest
            finally:
                self.is_stream_consumed = True
                await self.aclose()
        return self._content

    async def aiter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        await self.aread()
        async for piece in super().aiter_bytes(chunk_size):
            yield piece
