"""Alerts as the bytes of their JSON, written once for as long as they stay as they are."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from incident.core.alerts import StoredAlert
from incident.web.alert_json import write_alert

_MOST = 50_000  # remembered


class Written:
    """Remembers by object: the store gives the same one for an alert that has not changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[StoredAlert, tuple[str, ...], bytes]] = {}

    def several(self, chosen: Sequence[tuple[StoredAlert, tuple[str, ...]]]) -> bytes:
        """A JSON array of Alertmanager's gettableAlerts; each alert comes with its receivers."""
        known, kept, parts = self._known, {}, []
        for alert, receivers in chosen:
            there = known.get(alert.fingerprint)
            if there is None or there[0] is not alert or there[1] != receivers:
                there = (alert, receivers, _bytes(write_alert(alert, receivers)))
            kept[alert.fingerprint] = there
            parts.append(there[2])
        if len(kept) + len(known) > _MOST:
            known = {}
        self._known = {**known, **kept}
        return b"[" + b",".join(parts) + b"]"


def _bytes(document: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:  # half a surrogate pair, which UTF-8 cannot hold
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
