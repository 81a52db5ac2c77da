"""What is left of an event once it was redacted: that it was there, when, and what it did; none of its words. Pure.

Source: the record is append-only, so that a redaction is an event too (`redacted`), and blanks what it names.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from incident.core.model import Event

BLANK = "[redacted]"
_WORDS = frozenset({"text", "text_zh", "title", "summary", "name", "cause", "owner", "error", "against", "who", "said"})
_LABELS_KEPT = frozenset({"alertname", "service", "severity", "journey", "location", "drill"})


def redacted(event: Event) -> Event:
    """The same event without what people or systems wrote in it; the state that it leads to stays the same."""
    return replace(event, text=BLANK, data=_without_words(event.data))


def _without_words(data: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in data.items():
        if key == "labels" and isinstance(value, Mapping):
            found[key] = {name: text if name in _LABELS_KEPT else BLANK for name, text in value.items()}
        elif key in _WORDS and value is not None:
            found[key] = BLANK
        else:
            found[key] = _inside(value)
    return found


def _inside(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _without_words(value)
    return [_inside(item) for item in value] if isinstance(value, list) else value
