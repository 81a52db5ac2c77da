"""Regular expressions from files, labels and forms. RE2, so that no pattern can blow up in time or memory."""

from functools import lru_cache
from typing import Any

import re2

from probes.errors import ProbesError

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 8 << 20

MAX_LENGTH = 10_000


class BadRegex(ProbesError, ValueError):
    """A pattern that RE2 does not accept; the text says why."""


@lru_cache(maxsize=1024)
def compile_regex(pattern: str) -> Any:
    """An re2 pattern object (`search`, `fullmatch`, `match.group(1)`), as in the standard library. Raises BadRegex."""
    if len(pattern) > MAX_LENGTH:  # it may come from a page, and is kept
        raise BadRegex(f"a regex has at most {MAX_LENGTH} characters, not {len(pattern)}")
    try:
        return re2.compile(pattern, _OPTIONS)
    except UnicodeEncodeError:
        raise BadRegex(f"bad regex {pattern!r}: half a surrogate pair is no character") from None
    except re2.error as error:
        detail = error.args[0] if error.args else str(error)
        words = detail.decode(errors="replace") if isinstance(detail, bytes) else str(detail)
        raise BadRegex(f"bad regex {pattern!r}: {words} (RE2 syntax: no backreferences, no look-around)") from None
