"""PagerDuty's Events API v2, and the v1 that some senders still speak.

Source: PagerDuty/api-schema, reference/events-v2/openapiv3.json.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from incident.intake.lenient import whole
from incident.intake.payload import Unreadable, alert, instant, text, web_link
from probes.alert import Alert

HOLD = timedelta(days=7)  # a trigger is said once, and holds until it is resolved
ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "error", "warning", "info")
LONGEST_KEY = 255
LONGEST_SUMMARY = 1024


class InvalidEvent(Unreadable):
    """`errors`: one line for each thing that is wrong with it, as PagerDuty lists them."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


@dataclass(frozen=True)
class Event:
    """`key` is what the sender knows it by; `labels` and `annotations` only of a trigger."""

    action: str
    key: str
    routing_key: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None
    link: str = ""


def read(body: Any) -> Event:
    """Raises InvalidEvent."""
    if not isinstance(body, dict):
        raise InvalidEvent(["the event should be a JSON object"])
    errors: list[str] = []
    routing_key = _string(body, "routing_key", errors, required=True)
    action = _string(body, "event_action", errors, required=True)
    if action and action not in ACTIONS:
        errors.append(f"'event_action' should be one of {', '.join(ACTIONS)}")
    key = _string(body, "dedup_key", errors, required=action in ACTIONS[1:], longest=LONGEST_KEY)
    if action != "trigger":
        if errors:
            raise InvalidEvent(errors)
        return Event(action, key, routing_key)
    payload = body.get("payload")
    if not isinstance(payload, dict):
        raise InvalidEvent([*errors, "'payload' is missing or is no object"])
    labels, annotations = _told(payload, errors)
    if errors:
        raise InvalidEvent(errors)
    annotations |= _links(body)
    at = instant(payload.get("timestamp"))
    return Event(action, key or uuid4().hex, routing_key, labels, annotations, at, _link(body))


def _told(payload: dict[str, Any], errors: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    summary = _string(payload, "payload.summary", errors, required=True, longest=None)
    source = _string(payload, "payload.source", errors, required=True, longest=None)
    severity = _string(payload, "payload.severity", errors, required=True)
    if severity and severity not in SEVERITIES:
        errors.append(f"'payload.severity' should be one of {', '.join(SEVERITIES)}")
    labels = {"alertname": _string(payload, "payload.class", errors) or "PagerDutyEvent", "severity": severity}
    labels |= {"source": source[:LONGEST_SUMMARY]} if source else {}
    for name in ("component", "group"):
        if value := _string(payload, f"payload.{name}", errors):
            labels[name] = value
    annotations = {"summary": summary[:LONGEST_SUMMARY]}
    details = payload.get("custom_details")
    if isinstance(details, dict) and isinstance(details.get("service"), str) and details["service"]:
        labels["service"] = details["service"][:200]
    if details:
        annotations["details"] = text(details, 8000)
    return labels, annotations


def _links(body: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, key in (("links", "href"), ("images", "src")):
        items = body.get(name)
        addresses = (
            [web_link(item.get(key)) for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        )
        if addresses := [address for address in addresses if address]:
            found[name] = " ".join(addresses[:20])
    if client := text(body.get("client"), 200):
        found["client"] = client
    return found


def _link(body: dict[str, Any]) -> str:
    links = body.get("links")
    first = links[0].get("href") if isinstance(links, list) and links and isinstance(links[0], dict) else None
    return web_link(body.get("client_url"), first)


def _string(
    body: dict[str, Any], path: str, errors: list[str], *, required: bool = False, longest: int | None = 1024
) -> str:
    value = body.get(path.rpartition(".")[2])
    if value is None or value == "":
        if required:
            errors.append(f"'{path}' is missing or blank")
        return ""
    if not isinstance(value, str):
        errors.append(f"'{path}' should be a string")
        return ""
    if longest is not None and len(value) > longest:
        errors.append(f"'{path}' is longer than {longest} characters")
    return whole(value)


def read_v1(body: Any) -> Event:
    """`/generic/2010-04-15/create_event.json`: `service_key`, `event_type`, `incident_key`, `description`, `details`.

    Raises InvalidEvent.
    """
    if not isinstance(body, dict):
        raise InvalidEvent(["the event should be a JSON object"])
    payload = {
        "summary": body.get("description"), "source": body.get("client") or "unknown", "severity": "critical",
        "custom_details": body.get("details"),
    }  # fmt: skip
    translated = {
        "routing_key": body.get("service_key"), "event_action": body.get("event_type"),
        "dedup_key": body.get("incident_key"), "payload": payload, "client_url": body.get("client_url"),
        "client": body.get("client"),
    }  # fmt: skip
    return read(translated)


def worse(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """The labels of a key that has grown worse: what is not said anew stays, and so does its service, where it is
    somebody's work already."""
    labels = {**old, **new}
    labels.pop("service", None)
    return labels | ({"service": old["service"]} if "service" in old else {})


def alert_of(event: Event, labels: Mapping[str, str], now: datetime, hold: timedelta = HOLD) -> Alert:
    """`labels`: those by which this key was reported when it was worst, which are its identity."""
    return alert(
        {**labels, "dedup_key": event.key},
        event.annotations,
        over=event.action == "resolve",
        now=now,
        hold=hold,
        starts_at=event.at,
        link=event.link,
    )
