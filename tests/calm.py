"""Tests by the clock, on a machine that may stand still: `@pytest.mark.by_the_clock`.

What such a test tells depends on how soon things happen, which is its point. Where it fails although no core was taken
away from this machine, it has failed. Where one was, nothing can be said, and it is tried again, three times in all.
"""

import gc
import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import pytest
from _pytest.runner import runtestprotocol

TRIES = 3
LATE = 0.1  # seconds in all by which somebody who only sleeps was woken too late, and from which on nothing can be said
_NAP = 0.01  # seconds
_USUAL = 0.01  # seconds by which anybody may be woken late
STOOD_STILL = "the machine stood still"  # name of what is told of a test that was tried again


class Bystanders:
    """One for each core, who only sleep: where the core is away, they are woken late."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._late = dict.fromkeys(sorted(os.sched_getaffinity(0)), 0.0)
        self._threads = [threading.Thread(target=self._sleep, args=(core,), daemon=True) for core in self._late]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def late(self) -> float:
        """Seconds, of the core that was away for longest."""
        return max(self._late.values())

    def _sleep(self, core: int) -> None:
        os.sched_setaffinity(0, {core})  # of this thread
        before = time.monotonic()
        while not self._over.wait(_NAP):
            now = time.monotonic()
            if (late := now - before - _NAP) > _USUAL:
                self._late[core] += late
            before = now


def attempts(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[tuple[list[pytest.TestReport], float]]:
    """The reports of each attempt, and by how much bystanders were late meanwhile."""
    for _ in range(TRIES):
        with Bystanders() as bystanders:
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        yield reports, bystanders.late


def forget() -> None:
    """What a failed attempt has left open must not be held against the tests after it."""
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            delattr(sys, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if item.get_closest_marker("by_the_clock") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    stood_still = []
    for reports, late in attempts(item, nextitem):
        if late < LATE or not any(report.failed for report in reports):
            break
        stood_still.append(late)
        forget()
    for report in reports:
        if stood_still and report.when == "call":
            report.user_properties.append((STOOD_STILL, ", ".join(f"{late:.1f} s" for late in stood_still)))
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in (report for some in ("passed", "failed") for report in terminalreporter.stats.get(some, [])):
        for still in (said for name, said in report.user_properties if name == STOOD_STILL):
            terminalreporter.write_line(f"tried again, because {STOOD_STILL} for {still}: {report.nodeid}")
