"""An alert, as Prometheus and Alertmanager know it: our own probes and outside systems speak it alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_FNV_OFFSET = 14695981039346656037
_FNV_PRIME = 1099511628211
_MASK = (1 << 64) - 1


def fingerprint(labels: Mapping[str, str]) -> str:
    """Alertmanager's identity of an alert: FNV-1a 64 over the sorted names and values, each ended by 0xFF.

    Source: prometheus/common model.LabelSet.Fingerprint. 16 lower-case hex digits.
    """
    data = b"".join(name.encode() + b"\xff" + labels[name].encode() + b"\xff" for name in sorted(labels))
    value = _FNV_OFFSET
    for byte in data:
        value = ((value ^ byte) * _FNV_PRIME) & _MASK
    return f"{value:016x}"


@dataclass(frozen=True, slots=True)
class Alert:
    """Instants are UTC. `ends_at` in the past means resolved by its source; `generator_url` leads to the source.

    `timeout` is Alertmanager's flag: `ends_at` was not given by the source but set by the receiver.
    """

    labels: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    annotations: Mapping[str, str] = field(default_factory=dict)
    generator_url: str = ""
    timeout: bool = False

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.labels)

    def to_json(self) -> dict[str, Any]:
        """The shape that `POST /api/v2/alerts` takes."""
        return {
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "startsAt": self.starts_at.isoformat(),
            "endsAt": self.ends_at.isoformat(),
            "generatorURL": self.generator_url,
        }
