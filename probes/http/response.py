"""httpx's Response over our own body: read whole, bounded, under the request's deadline."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx

from probes.http.answer import Answer
from probes.http.body import decode_aside
from probes.http.errors import TransportError


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
                raw = await self._body.read()
                self.is_stream_consumed = True
                self._content = await self._decoded(raw)  # where httpx keeps it, for `text`, `json()` and the rest
            finally:
                await self.aclose()
        return self._content

    async def aiter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        await self.aread()
        async for piece in super().aiter_bytes(chunk_size):
            yield piece

    async def _decoded(self, raw: bytes) -> bytes:
        encoding = self.headers.get("content-encoding")
        if encoding is None:
            return raw
        try:
            return await decode_aside(raw, encoding, self._max_body)
        except TransportError as error:
            error.phases, error.status = self._body.answer.exchange.phases, self.status_code
            raise
