"""Whether the database takes what it is given: said when that changes, and not at every request that fails."""

import time
from collections.abc import Callable

import structlog

from incident.errors import IncidentError

log = structlog.get_logger("incident.store")

_SAY_AGAIN = 60.0  # seconds
_NEWS_AFTER = 5.0  # a disk that is full now and then
_TRY_AGAIN = 2.0


class Health:
    """`trouble`: why the last write that mattered failed, until one goes through. For one thread: the writer's."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.trouble: IncidentError | None = None
        self._clock = clock
        self._said = float("-inf")
        self._tried = float("-inf")
        self._failures = 0

    def failed(self, error: IncidentError) -> None:
        now = self._clock()
        self._failures += 1
        news = type(self.trouble) is not type(error)
        if now - self._said >= (_NEWS_AFTER if news else _SAY_AGAIN):
            log.error("database refuses: nothing is taken in", error=str(error), failures=self._failures)
            self._said = now
        self.trouble = error
        self._tried = now

    def worth_trying(self) -> bool:
        """In trouble, and not just tried. A write that changed nothing shows nothing: one is made for the purpose."""
        now = self._clock()
        if self.trouble is None or now - self._tried < _TRY_AGAIN:
            return False
        self._tried = now
        return True

    def well(self) -> None:
        if self.trouble is not None:
            log.info("database works again", failures=self._failures)
        self.trouble, self._failures = None, 0
