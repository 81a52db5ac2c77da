"""Runs that somebody asks for: the daemon does, over a socket that it hands down when it starts its prober.

One JSON object a line, each way. `{id, journey, timeout, any_depth}` asks; `{id, result}` (as `Result.to_json`) or
`{id, refused, why}` answers. Such a run changes no alert and no history.
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from probes.language.journey import Journey
from probes.result import Result

log = structlog.get_logger("prober")

MOST = 32  # at once; a scraper that asks for more gets `busy`
LONGEST_LINE = 65_536
SHORTEST = 0.05  # seconds


class OnDemand:
    """`journeys` are looked up anew for each question, so that a reload shows. `run` is the prober's own."""

    def __init__(
        self, journeys: Callable[[], Mapping[str, Journey]], run: Callable[[Journey], Awaitable[Result]]
    ) -> None:
        self._journeys = journeys
        self._run = run
        self._running = 0
        self._under_way: set[asyncio.Task[None]] = set()

    async def serve(self, control: socket.socket) -> None:
        """Until the other end closes."""
        reader, writer = await asyncio.open_connection(sock=control, limit=LONGEST_LINE)
        try:
            while line := await reader.readline():
                task = asyncio.create_task(self._answer(line, writer))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
        except (ConnectionError, ValueError) as error:  # ValueError: a line that is too long
            log.error("runs on demand have ended", error=str(error))
        finally:
            for task in self._under_way:
                task.cancel()
            writer.close()

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            question = json.loads(line)
            answer = await self._run_one(question)
        except Exception as error:  # a defect here must not take the asker's other questions along
            log.error("a run on demand broke", exc_info=error)
            question, answer = {}, {"refused": "broken", "why": "the prober's log says more"}
        writer.write(json.dumps({"id": question.get("id"), **answer}, default=str).encode() + b"\n")

    async def _run_one(self, question: Mapping[str, Any]) -> dict[str, Any]:
        name = str(question["journey"])
        journey = self._journeys().get(name)
        if journey is None:
            return {"refused": "unknown", "why": f"there is no journey {name!r}"}
        if journey.mutates != "none" and not question["any_depth"]:
            return {"refused": "depth", "why": f"{name!r} writes into the shop (mutates: {journey.mutates})"}
        if self._running >= MOST:
            return {"refused": "busy", "why": f"{MOST} runs are under way already"}
        self._running += 1
        try:
            result = await self._run(_within(journey, float(question["timeout"])))
        finally:
            self._running -= 1
        return {"result": result.to_json()}


def _within(journey: Journey, seconds: float) -> Journey:
    """The journey with no more time than that, half of it where a cleanup follows."""
    timeout = max(SHORTEST, seconds / 2 if journey.cleanup else seconds)
    return journey if timeout >= journey.timeout else journey.model_copy(update={"timeout": timeout})
