"""The parts of `alert:` that keep it calm: what counts as flapping, and from how many places a trouble must be seen."""

import re
from typing import Any, NamedTuple

from probes.duration import parse_duration

_TIMES_IN = re.compile(r"(\d{1,3}) in (\S+)")
_WHERE = re.compile(r"(\d{1,3}) of (\d{1,3})( locations?)?")


class Flapping(NamedTuple):
    """An alert raised for the `times`-th time `within` so many seconds stays until it is calm."""

    times: int
    within: float


class Where(NamedTuple):
    """`locations` of the `of` that look must see the trouble."""

    locations: int
    of: int

    def __str__(self) -> str:
        return f"{self.locations} of {self.of}"


def parse_flapping(value: Any) -> Flapping | None:
    """Reads `3 in 30m`; `none` is None. Raises ValueError."""
    if isinstance(value, Flapping) or value in ("none", None):
        return None if value == "none" else value
    found = _TIMES_IN.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError(f"{value!r} is not TIMES in DURATION, such as 3 in 30m, or none")
    flapping = Flapping(int(found[1]), parse_duration(found[2]))
    if flapping.times < 2 or not flapping.within > 0:
        raise ValueError(f"{value!r} cannot be: it takes at least 2 times, and a duration that is more than nothing")
    return flapping


def parse_where(value: Any) -> Where | None:
    """Reads `2 of 3 locations`, the last word may be left out. Raises ValueError."""
    if value is None or isinstance(value, Where):
        return value
    found = _WHERE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError(f"{value!r} is not N of M locations, such as 2 of 3 locations")
    where = Where(int(found[1]), int(found[2]))
    if not 1 <= where.locations <= where.of:
        raise ValueError(f"{value!r} cannot be: N is at least 1 and at most M")
    return where
