"""The page as data, in the shape that statuspage.io has made usual (`/api/v2/summary.json`)."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from incident.web.announced import Announced, announcement
from incident.web.public import Board, Component, Notice, Update
from incident.web.words import ENGLISH, WORDS

_DESCRIPTIONS = {
    "none": "All Systems Operational",
    "minor": "Partially Degraded Service",
    "major": "Partial System Outage",
    "critical": "Major Service Outage",
}
_IMPACTS = {"SEV1": "critical", "SEV2": "major", "SEV3": "minor", "SEV4": "minor"}


def summary(
    board: Board,
    name: str,
    *,
    url: str,
    time_zone: str,
    started_at: datetime,
    now: datetime,
    planned: Sequence[Announced] = (),
) -> dict[str, Any]:
    """`started_at`: when this page began; components that nothing happened to say so. `planned`: maintenance."""
    page = _id(name)
    changed = [notice.changed_at for notice in (*board.open, *board.recent)]
    components = _components(board, page, started_at)
    by_name = {component["name_key"]: component for component in components if "name_key" in component}
    document = {
        "page": {
            "id": page,
            "name": name,
            "url": url,
            "time_zone": time_zone,
            "updated_at": _at(max(changed, default=started_at)),
        },
        "status": {"indicator": board.indicator, "description": _DESCRIPTIONS[board.indicator]},
        "components": components,
        "incidents": [_incident(notice, page, url, by_name) for notice in board.open],
        "scheduled_maintenances": [
            announcement(
                one,
                number=_id(f"{page}/maintenance/{one.name}/{_at(one.starts_at)}"),
                page=page,
                url=url,
                now=now,
                started_at=started_at,
                components=_of(one.services, by_name),
            )
            for one in planned
        ],
    }
    for component in components:
        component.pop("name_key", None)
    return document


def _components(board: Board, page: str, started_at: datetime) -> list[dict[str, Any]]:
    """Groups are components too, as there: they hold the ids of theirs, and come before them."""
    found: list[dict[str, Any]] = []
    for group in board.groups:
        group_id = None if group.name is None else _id(f"{page}/group/{group.name}")
        if group.name is not None and group_id is not None:
            worst = max((c.state for c in group.components), key=_rank)
            entry = _component_json(group_id, group.name, worst, page, started_at)
            found.append(entry | {"group": True, "components": [_id(f"{page}/{c.name}") for c in group.components]})
        for component in group.components:
            changed = _changed(component, board) or started_at
            entry = _component_json(
                _id(f"{page}/{component.name}"), component.title["en"], component.state, page, started_at
            )
            found.append(entry | {"group_id": group_id, "updated_at": _at(changed), "name_key": component.name})
    return [entry | {"position": position} for position, entry in enumerate(found, 1)]


def _component_json(component_id: str, name: str, state: str, page: str, started_at: datetime) -> dict[str, Any]:
    return {
        "id": component_id,
        "name": name,
        "status": state,
        "created_at": _at(started_at),
        "updated_at": _at(started_at),
        "position": 0,
        "description": None,
        "showcase": False,
        "start_date": None,
        "group_id": None,
        "page_id": page,
        "group": False,
        "only_show_if_degraded": False,
    }


def _incident(notice: Notice, page: str, url: str, components: dict[str, dict[str, Any]]) -> dict[str, Any]:
    incident_id = _id(f"{page}/incidents/{notice.number}")
    title = notice.title("en", ENGLISH)
    watched = [update.at for update in notice.updates if update.status == "monitoring"]
    return {
        "id": incident_id,
        "name": f"{ENGLISH['drill']}: {title}" if notice.drill else title,
        "status": notice.status,
        "created_at": _at(notice.opened_at),
        "updated_at": _at(notice.changed_at),
        "monitoring_at": _at(min(watched)) if watched else None,
        "resolved_at": None if notice.resolved_at is None else _at(notice.resolved_at),
        "impact": _IMPACTS[notice.severity],
        "shortlink": url,
        "started_at": _at(notice.opened_at),
        "page_id": page,
        "incident_updates": [_update(update, incident_id, notice.number) for update in notice.updates],
        "components": _of(notice.services, components),
    }


def _of(services: Iterable[str], components: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in components[name].items() if key != "name_key"}
        for name in services
        if name in components
    ]


def _update(update: Update, incident_id: str, number: int) -> dict[str, Any]:
    body = WORDS["en"]["automatic"] if update.automatic else update.text
    at = _at(update.at)
    return {
        "id": _id(f"{incident_id}/{number}/{update.seq}/{at}"),
        "status": update.status,
        "body": body,
        "incident_id": incident_id,
        "created_at": at,
        "updated_at": at,
        "display_at": at,
        "affected_components": None,
    }


def _changed(component: Component, board: Board) -> datetime | None:
    return max(
        (notice.changed_at for notice in (*board.open, *board.recent) if component.name in notice.services),
        default=None,
    )


def _rank(state: str) -> int:
    return ("operational", "degraded_performance", "partial_outage", "major_outage").index(state)


def _id(text: str) -> str:
    """Stable, opaque, and of the length that readers of such pages know."""
    return re.sub("-", "", str(uuid5(NAMESPACE_URL, text)))[:12]


def _at(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds")
