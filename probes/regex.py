"""Regular expressions from files, labels and forms. RE2, so that no pattern can blow up in time or memory."""

from functools import lru_cache
from typing import Any

import re2

from probes.errors import ProbesError

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 8 << 20

MAX_LENGTH = 10_000
STRANGERS_LENGTH = 4096
_SMALL = re2.Options()
_SMALL.log_errors = False
_SMALL.max_mem = 1 << 20


class BadRegex(ProbesError, ValueError):
    """A pattern that RE2 does not accept; the text says why."""


def compile_strangers(pattern: str) -> Any:
    """As `compile_regex`, for a pattern that comes with a request: a smaller one, so that compiling it holds up nobody.

    Raises BadRegex.
    """
    if len(pattern) > STRANGERS_LENGTH:
        raise BadRegex(f"a regex has at most {STRANGERS_LENGTH} characters here, not {len(pattern)}")
    return _compiled(pattern, _SMALL)


@lru_cache(maxsize=1024)
def compile_regex(pattern: str) -> Any:
    """An re2 pattern object (`search`, `fullmatch`, `match.group(1)`), as in the standard library. Raises BadRegex."""
    if len(pattern) > MAX_LENGTH:  # it may come from a page, and is kept
        raise BadRegex(f"a regex has at most {MAX_LENGTH} characters, not {len(pattern)}")
    return _compiled(pattern, _OPTIONS)


def _compiled(pattern: str, options: Any) -> Any:
    try:
        return re2.compile(pattern, options)
    except UnicodeEncodeError:
        raise BadRegex(f"bad regex {pattern[:200]!r}: half a surrogate pair is no character") from None
    except re2.error as error:
        detail = error.args[0] if error.args else str(error)
        words = detail.decode(errors="replace") if isinstance(detail, bytes) else str(detail)
        text = f"bad regex {pattern[:200]!r}: {words[:200]} (RE2 syntax: no backreferences, no look-around)"
        raise BadRegex(text) from None
