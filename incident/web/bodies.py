"""What is wrong with a JSON body before anybody looks at what it says: what we took, but could never give out again."""

import re

import msgspec

DEEPEST = 64  # arrays and objects within each other
_BRACKETS = b"[]{}"
_OTHERS = bytes(set(range(256)) - set(_BRACKETS))
_TEXTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.S)


def too_deep(body: bytes) -> bool:
    """Whether it is nested deeper than `DEEPEST`: parsers and writers of JSON end in an error somewhere below."""
    if not _deep(body.translate(None, _OTHERS)):
        return False
    return _deep(_TEXTS.sub(b"", body).translate(None, _OTHERS))  # brackets in texts are no nesting


def _deep(brackets: bytes) -> bool:
    """Each round takes the innermost away."""
    for _ in range(DEEPEST):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    closes = b"[]" in brackets or b"{}" in brackets
    return closes or len(brackets) > DEEPEST  # a few that never close are the parser's to refuse


def no_json(body: bytes) -> str | None:
    """Why it is not the JSON of RFC 8259 that every reader takes, or None.

    Python's own reader takes `NaN`, numbers without end and halves of characters, which no writer can write down.
    """
    try:
        msgspec.json.encode(msgspec.json.decode(body))
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        return f"the body is not valid JSON: {error}"
    return None
