"""Says every few seconds that this prober is there, so that its silence can be told from all being well."""

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from probes.language.journey import Journey
from probes.prober.report import Reporter
from probes.version import __version__

log = structlog.get_logger("prober")

PATH = "/api/v1/heartbeat"
EVERY = 10.0  # seconds
NOT_TAKEN = 600.0  # seconds until a receiver that takes no heartbeats (an Alertmanager) is asked again
MOST_NAMED = 1000  # journeys; where there are more, nothing is said of them, and this location counts for each
MOST_BYTES = 128 * 1024  # of their names


def agreeing(journeys: Iterable[Journey]) -> dict[str, list[str]]:
    """What is said of those for which several locations have to agree: that this one can."""
    names = [journey.name for journey in journeys if journey.alert.where is not None]
    said = _written({"agrees_on": names})
    return {} if len(names) > MOST_NAMED or len(said) > MOST_BYTES else {"agrees_on": names}


def _written(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode(errors="replace")


class Heartbeat:
    """`vitals`: what is said besides the location: numbers, and `troubles` in words."""

    def __init__(self, reporter: Reporter, location: str, vitals: Callable[[], dict[str, Any]]) -> None:
        self._reporter = reporter
        self._location = location
        self._vitals = vitals

    def _body(self) -> dict[str, Any]:
        body = {"location": self._location, "version": __version__}
        try:
            return {**body, **self._vitals()}
        except Exception:  # a defect there must not make this location look dead
            log.exception("the vitals are not known")
            return body

    async def run(self, every: float = EVERY) -> None:
        """Until cancelled. A word that is not taken is lost: the next one says all that it said."""
        refused = False
        while True:
            answer = await self._reporter.ask(PATH, _written(self._body()))
            if answer.kind == "refused" and not refused:
                log.warning("the receiver does not take our heartbeat", why=answer.why)
            refused = answer.kind == "refused"
            await asyncio.sleep(NOT_TAKEN if answer.kind == "missing" else every)
