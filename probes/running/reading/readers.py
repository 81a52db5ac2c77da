"""The prober's side of its readers: a few processes, made when first needed, that read what may be slow to read.

Whoever was slow before waits in a line of their own, so that fifty pages that are made to be slow delay nobody whose
page is merely large.
"""

import asyncio
import logging
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from probes.pages.forms import Submission
from probes.result import Reason
from probes.running.answer import HTML, Answer
from probes.running.failure import Failed
from probes.running.reading import wire
from probes.running.reading.inspection import Inspected, Questions

log = logging.getLogger(__name__)

AT_ONCE: Mapping[bool | None, int] = {True: 2, None: 2, False: 1}  # readers for who is quick, unknown, slow
SLOW_S = 0.1  # CPU seconds: who took longer has to prove that it was an exception
_GRACE_S = 0.2  # past the step's deadline: the answer came in time, and deserves to be read
_KNOWN = 10_000  # journeys


class ReaderGone(Exception):
    """A reader ended in the middle of its work: it took too much of the time or the memory that it may take."""


class Readers:
    """Belongs to one event loop. `close` ends all of them. `process`: the one that makes them, once it was needed;
    `used` and `killed` count what they read."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._idle: list[_Reader] = []
        self._busy: set[_Reader] = set()
        self._quick: dict[str, bool] = {}  # by journey
        self._lines = {quick: asyncio.Semaphore(most) for quick, most in AT_ONCE.items()}
        self._started = False  # the first reader takes half a second to come, which is no fault of the body
        self.used = self.killed = 0

    async def inspect(
        self,
        questions: Questions,
        answer: Answer,
        values: Mapping[str, Any],
        now: datetime,
        *,
        journey: str,
        deadline: float,
    ) -> Inspected:
        """As `inspection.inspect` does it. Raises Failed where it was not over by the deadline (loop.time())."""
        seen = {name: value for name, value in values.items() if not callable(value)}
        job = ("inspect", pickle.dumps(questions), wire.pack_answer(answer), seen, now)
        return wire.unpack_inspected(await self._read(answer, journey, deadline, job))

    async def fill_in(
        self,
        page: Answer,
        selector: str,
        fields: Mapping[str, Any],
        button: str | None,
        *,
        journey: str,
        deadline: float,
    ) -> Submission:
        """As `inspection.fill_in` does it. Raises Failed."""
        job = ("fill_in", wire.pack_answer(page), selector, dict(fields), button)
        good, said = await self._read(page, journey, deadline, job)
        if good:
            return wire.unpack_submission(said)
        raise wire.unpack_error(said)

    def close(self) -> None:
        for reader in (*self._idle, *self._busy):
            reader.close()
        self._idle.clear()
        self._busy.clear()
        if self._control is not None:
            self._control.close()
            self._control = None
        if self.process is not None:
            self.process.kill()  # its readers end by themselves: their sockets are closed
            self.process.wait()
            self.process = None

    def line(self, journey: str) -> asyncio.Semaphore:
        """Where the bodies of this journey wait for their turn."""
        return self._lines[self._quick.get(journey)]

    async def _read(self, answer: Answer, journey: str, deadline: float, job: tuple[Any, ...]) -> Any:
        began = False
        self.used += 1
        try:
            async with asyncio.timeout_at(deadline + _GRACE_S), self.line(journey):
                began = True
                reply = await self._ask(wire.frame(pickle.dumps(job)))
        except TimeoutError:
            if not began or not self._started:
                raise _waited(answer) from None
            self.note(journey, quick=False)
            raise _unreadable(answer, "reading it was not over in time") from None
        except (ReaderGone, wire.NotData, OSError) as error:
            self.killed += 1
            self.note(journey, quick=False)
            log.warning("a body of journey %s could not be read: %s", journey, error)
            raise _unreadable(answer, "it is made so that reading it takes too much time or memory") from None
        self._started = True
        self.note(journey, quick=reply.seconds < SLOW_S)
        return reply.said

    def note(self, journey: str, *, quick: bool) -> None:
        if len(self._quick) > _KNOWN:
            self._quick.clear()
        self._quick[journey] = quick

    async def _ask(self, job: bytes) -> wire.Reply:
        reader = self._idle.pop() if self._idle else self._new()
        self._busy.add(reader)
        keep = False
        try:
            reply = wire.load_reply(await reader.ask(job))
            keep = not reply.last
            return reply
        finally:
            self._busy.discard(reader)
            if keep:
                self._idle.append(reader)
            else:
                reader.close()

    def _new(self) -> "_Reader":
        """Raises OSError where this machine gives us no process."""
        if self.process is None or self.process.poll() is not None:
            self._start()
        assert self._control is not None
        ours, its = socket.socketpair()
        with its:
            ours.setblocking(False)
            try:
                socket.send_fds(self._control, [b"+"], [its.fileno()])
            except OSError:
                ours.close()
                raise
        return _Reader(ours)

    def _start(self) -> None:
        if self._control is not None:
            self._control.close()
        self._control, its = socket.socketpair()
        with its:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "probes.running.reading.worker", str(its.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
            )


class _Reader:
    def __init__(self, own: socket.socket) -> None:
        self._socket = own

    async def ask(self, job: bytes) -> bytes:
        """Raises ReaderGone."""
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(self._socket, job)
            size = wire.LENGTH.unpack(await self._exactly(wire.LENGTH.size, loop.sock_recv))[0]
            if not 0 < size <= wire.MAX_REPLY:
                raise ReaderGone("what was found in it is too large")
            return await self._exactly(size, loop.sock_recv)
        except ConnectionError as error:
            raise ReaderGone("its reader was ended") from error

    async def _exactly(self, size: int, receive: Callable[[socket.socket, int], Any]) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = await receive(self._socket, min(size - len(data), 1 << 18))
            if not piece:
                raise ReaderGone("its reader was ended")
            data += piece
        return bytes(data)

    def close(self) -> None:
        with suppress(OSError):
            self._socket.close()


def _unreadable(answer: Answer, why: str) -> Failed:
    kind = answer.content_type
    if kind in HTML:
        reason, expected = Reason.HTML, "a page that can be read"
    elif kind.endswith("json"):
        reason, expected = Reason.JSON, "a JSON document of reasonable size"
    else:
        reason, expected = Reason.BODY, "a body that can be read"
    return Failed(
        reason, expected, f"{why} ({len(answer.content)} bytes of {kind or 'no Content-Type'})", answer.status
    )


def _waited(answer: Answer) -> Failed:
    seen = f"{len(answer.content)} bytes that waited for a reader until the deadline"
    return Failed(Reason.PROBER, "a body that is read in time", seen, answer.status)
