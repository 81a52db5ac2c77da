"""Alerts in the groups of Alertmanager's API: those of one route and receiver whose labels are alike. Pure."""

from collections.abc import Sequence
from typing import Any

from incident.core.alerts import StoredAlert
from incident.web.alert_json import write_alert
from incident.web.receivers import Receivers, grouped

Chosen = tuple[StoredAlert, tuple[str, ...]]  # with the receivers that were asked for
Labels = dict[str, str]


def in_groups(chosen: Sequence[Chosen], receivers: Receivers, *, muted_too: bool) -> list[dict[str, Any]]:
    """As JSON, in Alertmanager's order. Without `muted_too` groups are left out of which all is held back."""
    groups: dict[tuple[tuple[tuple[str, str], ...], str, tuple[int, ...]], list[Chosen]] = {}
    for alert, names in chosen:
        destination = receivers.of(alert)
        labels = tuple(sorted(grouped(alert.labels, destination.group_by).items()))
        for name in names:
            groups.setdefault((labels, name, destination.route), []).append((alert, tuple(sorted(names))))
    return [
        {
            "alerts": [write_alert(*one) for one in sorted(alerts, key=_by_labels)],
            "labels": dict(labels),
            "receiver": {"name": name},
            "routeLabels": {},
        }
        for (labels, name, _), alerts in sorted(groups.items(), key=lambda one: (len(one[0][0]), one[0]))
        if muted_too or any(alert.muted is None for alert, _ in alerts)
    ]


def _by_labels(one: Chosen) -> tuple[object, ...]:
    """As alerts stand in Alertmanager's groups: by job, instance, and then their labels."""
    labels = one[0].labels
    first = [(name not in labels, labels.get(name, "")) for name in ("job", "instance")]
    return (*first, len(labels), sorted(labels.items()))
