"""JSON whose text is not quite Unicode, read as Go's encoding/json does: with U+FFFD in the place of what is none.

Half a log line in an annotation, cut in the middle of a character, would otherwise cost its whole batch.
"""

import codecs
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

_REPLACEMENT = "\ufffd"
_HALVES = re.compile("[\ud800-\udfff]")
_EACH = "each byte is U+FFFD"


def _each(error: UnicodeError) -> tuple[str, int]:
    """Python's own `replace` writes one for several bytes that begin a character: that is another fingerprint."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _REPLACEMENT * (error.end - error.start), error.end


codecs.register_error(_EACH, _each)


def loads(body: bytes, parse_float: Callable[[str], float | Decimal] | None = None) -> Any:
    """Raises ValueError for what is no JSON in any case, and RecursionError."""
    if json.detect_encoding(body) != "utf-8":  # a mark at its beginning says so
        return json.loads(body, parse_float=parse_float)
    return json.loads(body.decode("utf-8", _EACH), parse_float=parse_float)


def whole(text: str) -> str:
    """Without halves of characters (lone surrogates), which JSON can name, and nobody can write down."""
    return text if text.isascii() else _HALVES.sub(_REPLACEMENT, text)
