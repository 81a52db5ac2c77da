"""What one rendering of a template may use: characters, items, turns of loops, CPU time."""

import threading
import time
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from jinja2.exceptions import SecurityError

from probes.language.values import MAX_EXPONENT

MAX_TEXT = 1 << 20  # characters of any value on the way
MAX_ITEMS = 100_000  # of any list on the way
MAX_LOOPS = 10_000  # turns of all loops of one rendering
MAX_SECONDS = 0.25  # of CPU time, of one rendering
MAX_BITS = 2048  # of a whole number


class _Budget(threading.local):
    """What is left for the rendering that is going on in this thread."""

    loops = MAX_LOOPS
    until = 0.0


_budget = _Budget()


def start_budget() -> None:
    """Called before each rendering."""
    _budget.loops = MAX_LOOPS
    _budget.until = time.thread_time() + MAX_SECONDS


def check_time() -> None:
    if time.thread_time() > _budget.until:
        raise SecurityError(f"it takes longer than {MAX_SECONDS} s")


def bounded(value: Any) -> Any:
    """The value itself; raises SecurityError where it is too large to go on with."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise SecurityError(f"a text on the way is longer than {MAX_TEXT} characters")
    elif isinstance(value, list | tuple | dict | range):
        if len(value) > MAX_ITEMS or _more_items(value, MAX_ITEMS):
            raise SecurityError(f"a list on the way has more than {MAX_ITEMS} items")
    elif isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise SecurityError("a number on the way is too large")
    elif isinstance(value, float):
        return Decimal(repr(value))
    elif isinstance(value, Decimal) and (not value.is_finite() or abs(value.adjusted()) > MAX_EXPONENT):
        raise SecurityError("a number on the way is too large")
    return value


def _more_items(value: Any, limit: int) -> bool:
    """Whether a value has more items than that, all levels counted: `[x, x]` of `[y, y]` of … doubles at each level."""
    waiting, count = [value], 0
    while waiting and count <= limit:
        container = waiting.pop()
        if isinstance(container, dict | list | tuple):
            count += len(container)
            inner = container.values() if isinstance(container, dict) else container
            waiting.extend(item for item in inner if isinstance(item, dict | list | tuple))
    return count > limit


def each(items: Iterable[Any]) -> Iterator[Any]:
    """The items of a loop, counted. Every `for` of a template goes through here."""
    for item in items:
        _budget.loops -= 1
        if _budget.loops < 0:
            raise SecurityError(f"its loops take more than {MAX_LOOPS} turns")
        check_time()
        yield item


def check_replace(text: str, old: str = "", new: str = "", count: int = -1) -> None:
    """Raises SecurityError where replacing would make a text too long."""
    times = text.count(old) if count < 0 else min(int(count), text.count(old))
    if len(text) + times * len(new) > MAX_TEXT:
        raise SecurityError(f"a text on the way is longer than {MAX_TEXT} characters")
