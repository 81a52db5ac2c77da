"""Alerts as the bytes of their JSON; what of an alert lasts while it is sent again and again is written once."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from incident.core.alerts import StoredAlert
from incident.web.alert_json import timestamp, write_alert

_MOST = 50_000  # remembered
_FIRST = ("endsAt", "updatedAt")


class Written:
    """Remembers by object: the store gives the same ones for what has not changed of an alert."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[StoredAlert, tuple[str, ...], bytes, bytes]] = {}

    def several(self, chosen: Sequence[tuple[StoredAlert, tuple[str, ...]]]) -> bytes:
        """A JSON array of Alertmanager's gettableAlerts; each alert comes with its receivers."""
        known, kept, parts = self._known, {}, []
        times = _Times()
        for alert, receivers in chosen:
            there = known.get(alert.fingerprint)
            if there is None or there[0] is not alert or there[1] != receivers:
                lasting = there[3] if there is not None and _alike(there[0], alert) and there[1] == receivers else None
                lasting = lasting or _lasting(alert, receivers)
                there = (alert, receivers, times.of(alert) + lasting, lasting)
            kept[alert.fingerprint] = there
            parts.append(there[2])
        if kept.keys() == known.keys():
            self._known = kept
        else:
            self._known = kept if len(kept) + len(known) > _MOST else {**known, **kept}
        return b"[" + b",".join(parts) + b"]"


class _Times(dict[datetime, str]):
    """Instants as they are written; many alerts of a batch share theirs."""

    def __missing__(self, instant: datetime) -> str:
        found = self[instant] = timestamp(instant)
        return found

    def of(self, alert: StoredAlert) -> bytes:
        """The beginning of its object."""
        return f'{{"endsAt":"{self[alert.ends_at]}","updatedAt":"{self[alert.updated_at]}",'.encode()


def _alike(old: StoredAlert, new: StoredAlert) -> bool:
    """Whether they differ at the most in what changes whenever an alert is sent again."""
    same = old.annotations is new.annotations and old.labels is new.labels and old.muted is new.muted
    return same and old.starts_at == new.starts_at and old.generator_url == new.generator_url


def _lasting(alert: StoredAlert, receivers: Sequence[str]) -> bytes:
    """The rest of it."""
    document = write_alert(alert, receivers)
    return _bytes({key: value for key, value in document.items() if key not in _FIRST})[1:]


def _bytes(document: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:  # half a surrogate pair, which UTF-8 cannot hold
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
