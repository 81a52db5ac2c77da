"""What an incident looks like in Slack: one root message that is kept up to date, and its timeline in the thread. Pure.

Limits: Slack's Block Kit reference (header 150, section 3000, field 2000, button text 75, text 40,000 characters).
"""

from collections.abc import Sequence
from typing import Any

from incident.chat.text import escape, link
from incident.core.model import Event, Incident
from probes.terminal import clean

Block = dict[str, Any]
ACK, RESOLVE = "incident.ack", "incident.resolve"
HEADER, THREAD, SHOWN_LINES = 150, 2800, 30
_COLOUR = {"resolved": "✅", "monitoring": "🔎", "identified": "🟠", "investigating": "🔴"}
_SILENT = frozenset({"paged", "delivery_failed"})  # they concern those who run Shopwatch, not the incident


def summary(incident: Incident) -> str:
    """One line: for notifications, and for clients that show no blocks."""
    return escape(f"{incident.severity} #{incident.number} {incident.title} ({incident.status})", 1000)


def root(incident: Incident, base_url: str) -> list[Block]:
    title = clean(f"{_COLOUR.get(incident.status, '')} {incident.severity} #{incident.number} {incident.title}")
    header = title if len(title) <= HEADER else title[: HEADER - 1] + "…"
    blocks: list[Block] = [
        {"type": "header", "text": {"type": "plain_text", "text": header, "emoji": True}},
        {"type": "section", "fields": [_field(name, value) for name, value in _facts(incident)]},
    ]
    if incident.runbooks or base_url:
        blocks.append({"type": "context", "elements": [_mrkdwn(_pointers(incident, base_url))]})
    if incident.open:
        blocks.append({"type": "actions", "elements": _buttons(incident)})
    return blocks


def _facts(incident: Incident) -> list[tuple[str, str]]:
    nobody = "nobody was paged" if incident.ticket else "nobody yet"
    facts = [
        ("Status", incident.status),
        ("Services", ", ".join(incident.services)),
        ("Opened", _time(incident.opened_at.timestamp(), f"{incident.opened_at:%Y-%m-%d %H:%M} UTC")),
        ("Acknowledged", f"by {incident.acknowledged_by}" if incident.acknowledged_by else nobody),
    ]
    return facts + [(role.capitalize(), who) for role, who in incident.roles.items()][:4]


def _time(unix: float, otherwise: str) -> str:
    """Shown in the reader's own time zone. It is not escaped: its parts are ours."""
    return f"<!date^{int(unix)}^{{date_short_pretty}} {{time}}|{otherwise}>"


def _field(name: str, value: str) -> Block:
    return _mrkdwn(f"*{name}*\n{value if value.startswith('<!date^') else escape(value, 300)}")


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text}


def _pointers(incident: Incident, base_url: str) -> str:
    parts = [f"Runbook: `{escape(name, 100)}`" for name in incident.runbooks[:3]]
    if base_url:
        parts.append(link(f"{base_url.rstrip('/')}/incidents/{incident.number}", "Status page"))
    return "  ·  ".join(parts)


def _buttons(incident: Incident) -> list[Block]:
    buttons = []
    if incident.acknowledged_at is None:
        buttons.append(_button("Acknowledge", ACK, incident.number, style="primary"))
    confirm = {
        "title": _plain("Resolve the incident?"),
        "text": _plain(f"#{incident.number} is over, and everybody is told so."),
        "confirm": _plain("Resolve"),
        "deny": _plain("Not yet"),
    }
    return [*buttons, _button("Resolve", RESOLVE, incident.number, confirm=confirm)]


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def _button(text: str, action: str, number: int, **more: Any) -> Block:
    return {"type": "button", "text": _plain(text), "action_id": action, "value": str(number), **more}


def thread(events: Sequence[Event]) -> str:
    """These events as lines of the thread; in a storm the first ones and how many more there are."""
    lines = [_line(event) for event in events if event.kind not in _SILENT]
    if len(lines) > SHOWN_LINES:
        lines = [
            *lines[: SHOWN_LINES - 1],
            f"… and {len(lines) - SHOWN_LINES + 1} more: shopwatch timeline {events[0].incident}",
        ]
    return "\n".join(lines)[:THREAD]


def _line(event: Event) -> str:
    at = _time(event.at.timestamp(), f"{event.at:%H:%M:%S} UTC").replace("{date_short_pretty} {time}", "{time_secs}")
    said = escape(" ".join(event.text.split()) or event.kind, 600)
    public = " (public)" if event.kind == "update" and event.data.get("public") else ""
    who = "" if event.actor == "shopwatch" else f" *{escape(event.actor, 80)}*"
    word = f" {event.kind}{public}:" if event.kind in ("note", "update") else ""
    return f"{at}{who}{word} {said}"
