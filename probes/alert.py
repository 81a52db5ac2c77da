"""An alert, as Prometheus and Alertmanager know it: our own probes and outside systems speak it alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

_FNV_OFFSET = 14695981039346656037
_FNV_PRIME = 1099511628211
_MASK = (1 << 64) - 1
_REMEMBERED = 128  # characters of a pair that is worth remembering


def fingerprint(labels: Mapping[str, str]) -> str:
    """Alertmanager's identity of an alert: FNV-1a 64 over the sorted names and values, each ended by 0xFF.

    Source: prometheus/common model.LabelSet.Fingerprint. 16 lower-case hex digits. A pair of labels that came before
    costs one look-up: what its bytes do to the value depends on the lowest eight bits of it alone, but for a factor.
    """
    value = _FNV_OFFSET
    for name in sorted(labels):
        text = labels[name]
        low = value & 0xFF
        steps = _steps if len(name) + len(text) <= _REMEMBERED else _steps.__wrapped__
        factor, end = steps(name, text, low)
        value = ((value - low) * factor + end) & _MASK
    return f"{value:016x}"


@lru_cache(maxsize=1 << 16)
def _steps(name: str, text: str, low: int) -> tuple[int, int]:
    """The prime to the power of the number of bytes, and the value after them where it was `low` (0 to 255) before."""
    data = b"%b\xff%b\xff" % (name.encode(), text.encode())
    prime, mask = _FNV_PRIME, _MASK
    for byte in data:
        low = (low ^ byte) * prime & mask
    return _power(len(data)), low


@lru_cache(maxsize=1 << 10)
def _power(exponent: int) -> int:
    return pow(_FNV_PRIME, exponent, 1 << 64)


@dataclass(frozen=True, slots=True)
class Alert:
    """Instants are UTC. `ends_at` in the past means resolved by its source; `generator_url` leads to the source.

    `timeout` is Alertmanager's flag: `ends_at` was not given by the source but set by the receiver. `identity` is the
    fingerprint where whoever read the alert knows it already.
    """

    labels: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    annotations: Mapping[str, str] = field(default_factory=dict)
    generator_url: str = ""
    timeout: bool = False
    identity: str = field(default="", compare=False)

    @property
    def fingerprint(self) -> str:
        return self.identity or fingerprint(self.labels)

    def to_json(self) -> dict[str, Any]:
        """The shape that `POST /api/v2/alerts` takes."""
        return {
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "startsAt": self.starts_at.isoformat(),
            "endsAt": self.ends_at.isoformat(),
            "generatorURL": self.generator_url,
        }
