"""Webhooks of Alertmanager (version 4) and of Grafana's unified alerting (version 1), which is made after it.

Sources: prometheus/alertmanager notify/webhook/webhook.go and template/template.go; grafana/alerting
receivers/webhook/v1 and templates/template_data.go.
"""

from datetime import datetime, timedelta
from typing import Any

from incident.intake.payload import Unreadable, a_dict, a_list, alert, instant, pairs, text, web_link
from probes.alert import Alert

HOLD = timedelta(hours=5)  # both repeat what still fires every four hours, unless told otherwise
_GRAFANA_LINKS = {"dashboardURL": "dashboard", "panelURL": "panel", "silenceURL": "silence", "imageURL": "image"}


def read(body: Any, now: datetime, hold: timedelta = HOLD) -> list[Alert]:
    """The alerts of either. Raises Unreadable for anything else, of which nothing is taken."""
    items = a_list(a_dict(body, "the body").get("alerts"), "alerts")
    return [_one(a_dict(item, f"alerts[{index}]"), f"alerts[{index}]", now, hold) for index, item in enumerate(items)]


def _one(item: dict[str, Any], where: str, now: datetime, hold: timedelta) -> Alert:
    status = item.get("status")
    if status not in ("firing", "resolved"):
        raise Unreadable(f"{where}.status should be firing or resolved, and is {text(status, 40)!r}")
    return alert(
        pairs(item.get("labels"), f"{where}.labels"),
        pairs(item.get("annotations"), f"{where}.annotations") | _more(item),
        over=status == "resolved",
        now=now,
        hold=hold,
        starts_at=instant(item.get("startsAt")),
        ends_at=instant(item.get("endsAt")),
        link=web_link(item.get("generatorURL"), item.get("dashboardURL")),
    )


def _more(item: dict[str, Any]) -> dict[str, str]:
    """What Grafana says besides: links, and the values that the rule saw."""
    found = {name: link for key, name in _GRAFANA_LINKS.items() if (link := web_link(item.get(key)))}
    if values := item.get("valueString") or item.get("values"):
        found["values"] = text(values, 2000)
    return found


def read_grafana(body: Any, now: datetime, hold: timedelta = HOLD) -> list[Alert]:
    """Grafana's payload, of today or of its old alerting. Raises Unreadable, for a custom payload template too."""
    whole = a_dict(body, "the body")
    if "alerts" in whole:
        return read(whole, now, hold)
    if "ruleName" in whole or "ruleId" in whole:
        return [_legacy(whole, now, hold)]
    raise Unreadable(
        "this is neither Grafana's payload nor that of its old alerting: for a payload template of your own, map its "
        "fields in shopwatch.yaml (intake.sources, map) and send it to /hooks/generic"
    )


def _legacy(body: dict[str, Any], now: datetime, hold: timedelta) -> Alert:
    """Grafana before 9: one rule, whose state is alerting, ok, no_data, pending or paused."""
    name = text(body.get("ruleName") or body.get("title") or f"rule {text(body.get('ruleId'))}", 200)
    labels = {"alertname": name, **pairs(body.get("tags"), "tags")}
    if body.get("ruleId") is not None:
        labels["rule_id"] = text(body["ruleId"], 40)
    annotations = {"summary": text(body.get("message") or body.get("title"), 2000)}
    if values := body.get("evalMatches"):
        annotations["values"] = text(values, 2000)
    if image := web_link(body.get("imageUrl")):
        annotations["image"] = image
    return alert(
        labels,
        {key: said for key, said in annotations.items() if said},
        over=body.get("state") in ("ok", "paused", "pending"),
        now=now,
        hold=hold,
        link=web_link(body.get("ruleUrl")),
    )
