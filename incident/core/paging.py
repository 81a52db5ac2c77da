"""Who is paged, and who is only told: an alert with the label `page="no"` opens an incident, and calls nobody. Pure.

An event names in `channels` who hears of the incident from now on; those of them that `quietly` names too are told, and
the others paged, unless they have been. The incident remembers in `told_only` who was told and never paged. Alerts that
ask for no page, and what the tool makes of them, never cause one. What does is the first alert that asks for none such,
and a person who raises the severity.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from incident.core.alerts import StoredAlert
    from incident.core.folding import Draft
    from incident.core.model import Incident

LABEL, NO = "page", "no"
Route = Callable[[Mapping[str, str]], Sequence[str]]


def wants_none(labels: Mapping[str, str]) -> bool:
    """Whether an alert with these labels asks for no page."""
    return labels.get(LABEL, "").strip().lower() == NO


def aloud(labels: Mapping[str, str]) -> dict[str, str]:
    """What routes see of what does ask for a page."""
    return {name: value for name, value in labels.items() if name != LABEL or not wants_none(labels)}


def called(data: Mapping[str, Any], known: Collection[str], told_only: Collection[str]) -> tuple[list[str], list[str]]:
    """Of an event that names channels: who is paged by it, and who hears of the incident for the first time without.

    `known` have been told, `told_only` are those of them who were not paged. `page`: whoever is named is paged again.
    """
    names, quietly = data.get("channels", ()), data.get("quietly", ())
    paged = [
        name for name in names if name not in quietly and (data.get("page") or name not in known or name in told_only)
    ]
    return paged, [name for name in names if name in quietly and name not in known]


def told_only_after(told_only: Iterable[str], paged: Collection[str], told: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*(name for name in told_only if name not in paged), *told]))


def told_only_of_both(known: Iterable[str], told_only: Collection[str], data: Mapping[str, Any]) -> tuple[str, ...]:
    """After an incident has taken in another, whose `channels` and, among them, `quietly` are in the event's data."""
    theirs, quietly = data.get("channels", ()), data.get("quietly", ())
    paged = {name for name in known if name not in told_only} | {name for name in theirs if name not in quietly}
    return tuple(name for name in dict.fromkeys([*told_only, *quietly]) if name not in paged)


def seen_by_routes(incident: "Incident") -> Mapping[str, str]:
    """The labels by which the tool asks the routes for an incident that is not about to be paged for."""
    return incident.labels if incident.unpaged else aloud(incident.labels)


def page_for(number: int, fired: Sequence["StoredAlert"], draft: "Draft", route: Route, page_again: timedelta) -> None:
    """Alerts have joined it: whoever the routes name for those that ask for a page, and was only told, is paged.

    Where nobody has been paged at all, the incident is about the first of them from now on, and all whom the routes
    name are paged; if it was opened again quietly, at most once in `page_again`.
    """
    incident = draft.incidents[number]
    loud = [alert for alert in fired if not alert.quiet] if incident.told_only and incident.open else []
    if not loud:
        return
    names = [name for alert in loud for name in route(_labels(alert, incident))]
    if not incident.unpaged:
        names = [name for name in names if name in incident.told_only]
        if names:
            _add(draft, number, f"{loud[0].name} ({loud[0].service}) asks for a page", names)
        return
    if incident.paged_at is not None and draft.now - incident.paged_at < page_again:
        return
    first = next((alert for alert in loud if alert.service == incident.service), loud[0])
    if first.service != incident.service:  # the trouble lies deeper than what asks for the page
        names += route({**aloud(incident.labels), "severity": incident.severity})
    title = first.summary if incident.drill is None else f"[DRILL] {first.summary}"
    words = f"{first.name} ({first.service}) asks for a page: nobody was paged for what was known so far"
    labels = {**_labels(first, incident), "service": incident.service}
    _add(draft, number, words, names, title=title, labels=labels)


def page_for_both(number: int, before: "Incident", other: "Incident", draft: "Draft", route: Route) -> None:
    """It has taken in another. Where nobody had been paged for it (`before`), and somebody for the other, its own are.

    Nobody is paged twice: who was for the other has been.
    """
    if not before.unpaged or other.unpaged or not other.channels:
        return
    incident = draft.incidents[number]
    labels = {**aloud(incident.labels), "severity": incident.severity}
    names = list(route(labels))
    if called({"channels": names}, incident.channels, incident.told_only)[0]:
        words = f"People were paged for #{other.number}, {other.title}, which goes on here"
        _add(draft, number, words, names, title=other.title, labels=labels)


def _labels(alert: "StoredAlert", incident: "Incident") -> dict[str, str]:
    labels = {**alert.labels, "service": alert.service, "severity": incident.severity}
    return labels if incident.drill is None else {**labels, "drill": incident.drill}


def _add(draft: "Draft", number: int, words: str, names: Iterable[str], **data: Any) -> None:
    draft.add(number, "paging", words, {"channels": list(dict.fromkeys(names)), **data})
