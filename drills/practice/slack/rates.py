"""Slack's rate limits, as buckets that fill up again with time."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from drills.practice.slack.refusal import RateLimited


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` calls at once, then `per_second`."""

    burst: int
    per_second: float


POSTS = Rate(burst=4, per_second=1.0)  # a channel
TIERS = {2: Rate(20, 20 / 60), 3: Rate(50, 50 / 60), 4: Rate(100, 100 / 60)}


class Limiter:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._levels: dict[tuple[str, ...], tuple[float, float]] = {}  # key -> (calls left, when that was so)

    def take(self, key: tuple[str, ...], rate: Rate) -> None:
        """Counts a call. Raises RateLimited; a refused call does not count."""
        now = self._clock()
        left, then = self._levels.get(key, (float(rate.burst), now))
        left = min(rate.burst, left + (now - then) * rate.per_second)
        if left < 1:
            self._levels[key] = (left, now)
            raise RateLimited(max(1, math.ceil((1 - left) / rate.per_second)))
        self._levels[key] = (left - 1, now)
