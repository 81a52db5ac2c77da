"""What people add to an incident's record besides words, as its events leave it: part of `core.folding`. Pure."""

from typing import Any

from incident.core.model import Event, Incident


def linked(incident: Incident, event: Event) -> dict[str, Any]:
    return {"links": {**incident.links, str(event.data["incident"]): event.data["how"]}}


def unlinked(incident: Incident, event: Event) -> dict[str, Any]:
    gone = str(event.data["incident"])
    return {"links": {key: how for key, how in incident.links.items() if key != gone}}


_OF_TASK = ("text", "kind", "owner", "due")


def task(incident: Incident, event: Event) -> dict[str, Any]:
    data = event.data
    known = incident.tasks.get(data["task"], {"owner": None, "due": None, "done_at": None})
    changed = {key: data[key] for key in _OF_TASK if key in data}
    return {"tasks": {**incident.tasks, data["task"]: {**known, **changed}}}


def task_done(incident: Incident, event: Event) -> dict[str, Any]:
    number = event.data["task"]
    done_at = event.at.isoformat() if event.data["done"] else None
    return {"tasks": {**incident.tasks, number: {**incident.tasks[number], "done_at": done_at}}}


def cause(incident: Incident, event: Event) -> dict[str, Any]:
    return {"causes": tuple(dict.fromkeys((*incident.causes, event.data["cause"])))}


def attached(incident: Incident, event: Event) -> dict[str, Any]:
    data = event.data
    shown = {key: data.get(key) for key in ("name", "media_type", "size", "run", "fingerprint")}
    return {"attachments": {**incident.attachments, data["attachment"]: shown}}


def similar(incident: Incident, event: Event) -> dict[str, Any]:
    return {"similar": {key: event.data.get(key) for key in ("incident", "how", "cause", "said")}}


def review(incident: Incident, event: Event) -> dict[str, Any]:
    by = {"version": event.data["version"], "seq": event.seq, "at": event.at.isoformat(), "by": event.actor}
    return {"review": by}


def overdue(incident: Incident, event: Event) -> dict[str, Any]:
    """`said_at`: when it was last said that it is overdue."""
    at = event.at.isoformat()
    said = {key: {**item, "said_at": at} for key, item in incident.tasks.items() if key in event.data["tasks"]}
    return {"tasks": {**incident.tasks, **said}}
