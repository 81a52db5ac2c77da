"""Durations as people write them in files: `500ms`, `30s`, `5m`, `1h`, `7d`, `2w`, and sums such as `1h30m`."""

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")


def parse_duration(text: object) -> float:
    """Seconds. A bare `0` is zero; any other number needs its unit, because 30 could be seconds or minutes.

    Raises ValueError with a text for the user.
    """
    if text in (0, "0"):
        return 0.0
    if not isinstance(text, str) or not _WHOLE.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is not a duration: write a number with its unit, such as 500ms, 30s, 5m, 1h, 7d")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads back: 90 -> `1m30s`, 0.5 -> `500ms`."""
    milliseconds = round(seconds * 1000)
    if milliseconds == 0:
        return "0s"
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration),
    WithJsonSchema(
        {"type": ["string", "integer"], "pattern": r"^(0|(\d+(\.\d+)?(ms|[smhdw]))+)$", "examples": ["30s"]}
    ),
]
"""A pydantic field: text such as `30s` in the file, seconds (float) in the model."""
