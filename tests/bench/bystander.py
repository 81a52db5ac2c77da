"""Stands beside a program on its core and does nothing: `python -m tests.bench.bystander CORE`.

A virtual machine is not always given the processors that it shows. Where even a process that only sleeps did not get
its turn, and the system says that the core was with somebody else (steal in proc_stat(5)), nothing can be said about
how late the program was. A line for each such span: its begin and its end, in Unix time.
"""

import os
import sys
import time
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

_NAP = 0.005  # seconds
_LEAST = 0.025  # a span that counts
_JIFFY = 1 / os.sysconf("SC_CLK_TCK")

Span = tuple[float, float]


def main(core: int) -> None:
    os.sched_setaffinity(0, {core})
    stolen, last = _stolen(core), time.time()
    while True:
        time.sleep(_NAP)
        now = time.time()
        if now - last > _LEAST:
            more = _stolen(core) - stolen
            if more >= (now - last) / 2:
                print(last, now, flush=True)
        stolen, last = _stolen(core), now


def _stolen(core: int) -> float:
    """Seconds that this core was not given to this machine although there was work."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    return int(line.split()[8]) * _JIFFY


def read(text: str) -> list[Span]:
    return [(float(begin), float(end)) for begin, end in map(str.split, text.splitlines())]


class Stood:
    """The spans of a measurement. What became due in one of them, or while it was made up for, says nothing."""

    def __init__(self, spans: Sequence[Span], start: float, end: float) -> None:
        self._spans = [span for span in spans if span[1] > start and span[0] < end]
        self._begins = [begin for begin, _ in self._spans]

    @property
    def seconds(self) -> float:
        return sum(end - begin for begin, end in self._spans)

    def at(self, due: float) -> bool:
        place = bisect_right(self._begins, due)
        if not place:
            return False
        begin, end = self._spans[place - 1]
        return due <= end + 0.05 + (end - begin) / 2


if __name__ == "__main__":
    main(int(sys.argv[1]))
