"""The line to our own prober, on which one journey is run on demand: a socket of which it gets the other end.

The prober runs it, and not the daemon, so that no page and no regex of a shop delays an alert.
"""

import asyncio
import json
import socket
from itertools import count
from typing import Any

from incident.errors import IncidentError

ANSWER_AFTER = 2.0  # seconds past the time that a run may take
LONGEST_LINE = 16 << 20


class ProberAway(IncidentError):
    """There is no prober to ask, or it does not answer."""

    permanent = False


class RunRefused(IncidentError):
    """`kind`: unknown, depth, busy or broken."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class ProberLine:
    """`hand_down` at each start of the child; `run` from anywhere in the loop."""

    def __init__(self) -> None:
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = count(1)

    async def hand_down(self) -> socket.socket:
        """A fresh line. The end that it returns is the child's: close it here once the child has it."""
        self.close()
        ours, theirs = socket.socketpair()
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=LONGEST_LINE)
        self._reading = asyncio.create_task(self._read(reader, self._writer))
        return theirs

    def close(self) -> None:
        """Whoever waits is told that the prober is away."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        self._hang_up()

    async def run(self, journey: str, timeout: float, any_depth: bool) -> dict[str, Any]:
        """The JSON of its result. `timeout`: seconds that the run may take; `any_depth`: even if it writes into the
        shop. Raises RunRefused, ProberAway."""
        if self._writer is None:
            raise ProberAway("no prober runs beside this daemon")
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        question = {"id": number, "journey": journey, "timeout": timeout, "any_depth": any_depth}
        try:
            self._writer.write(json.dumps(question).encode() + b"\n")
            async with asyncio.timeout(timeout + ANSWER_AFTER):
                answer = await future
        except TimeoutError:
            raise ProberAway(f"the prober did not answer within {timeout + ANSWER_AFTER:g} s") from None
        finally:
            self._waiting.pop(number, None)
        if "refused" in answer:
            raise RunRefused(answer["refused"], answer["why"])
        result: dict[str, Any] = answer["result"]
        return result

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                answer = json.loads(line)
                waiting = self._waiting.get(answer["id"])
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        except (OSError, ValueError):  # ended in the middle of a line
            pass
        finally:
            writer.close()
        self._writer = None
        self._hang_up()

    def _hang_up(self) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ProberAway("the prober ended before it could answer"))
