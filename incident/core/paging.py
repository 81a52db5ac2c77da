"""Who is paged, and who is only told: an alert with the label `page="no"` opens an incident, and calls nobody. Pure.

An event names in `channels` who hears of the incident from now on; those of them that `quietly` names too are told, and
the others paged, unless they have been. The incident remembers in `told_only` who was told and never paged. Alerts that
ask for no page, and what the tool makes of them, never cause one. What does is the first alert that asks for none such,
and a person who raises the severity.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from incident.core.alerts import StoredAlert
    from incident.core.folding import Draft
    from incident.core.model import Incident
    from incident.core.placing import Policy
    from incident.core.services import ServiceMap

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


def page_for(
    before: "Incident", fired: Sequence["StoredAlert"], draft: "Draft", policy: "Policy", *, as_bad: bool = False
) -> None:
    """Alerts have joined it (`before` that): what asks for a page gets one although what asks for none came first.

    Where nobody has been paged, all whom the routes name for them and for the root are, and the incident is about the
    first of them from now on; if it was opened again quietly, those who were paged before, at most once in
    `page_again`, unless something fires that had not been in it. Where somebody has been paged, it is who was only told
    so far, and whom the routes name for a root or a suspect that has asked for none until now. `as_bad`: it had its
    severity without those that ask for none.
    """
    incident = draft.incidents[before.number]
    mixed = incident.open and (incident.told_only or incident.tickets)
    loud = [alert for alert in fired if not alert.quiet] if mixed else []
    if not loud:
        return
    early = incident.paged_at is not None and draft.now - incident.paged_at < timedelta(seconds=policy.page_again)
    if incident.unpaged:
        _page_first(incident, loud, draft, policy.route, early)
    else:
        worse = _worse(incident, loud, policy) if as_bad else []
        _page_more(before, loud, draft, policy, early=early, also=worse)


def _page_first(incident: "Incident", loud: Sequence["StoredAlert"], draft: "Draft", route: Route, early: bool) -> None:
    back = [alert for alert in loud if alert.incident == incident.number]  # people were paged for these
    if early and len(back) == len(loud):
        return
    first = next((alert for alert in loud if alert.service == incident.service), loud[0])
    names = [name for alert in loud for name in route(_labels(alert, incident))]
    if first.service != incident.service:  # the trouble lies deeper than what asks for the page
        names += route({**aloud(incident.labels), "severity": incident.severity})
    if back:
        names += incident.paged_before
    words = f"{first.name} ({first.service}) asks for a page: nobody was paged for what was known so far"
    _add(draft, incident.number, words, names, **_about(first, incident))


def _page_more(
    before: "Incident",
    loud: Sequence["StoredAlert"],
    draft: "Draft",
    policy: "Policy",
    *,
    early: bool,
    also: Sequence[str],
) -> None:
    incident = draft.incidents[before.number]
    softer = wants_none(incident.labels)  # its root has asked for no page, whoever was paged for the rest
    own = next((alert for alert in loud if alert.service == incident.service), None) if softer else None
    anew = not early and _had_been_over(before, draft.now, policy)
    again = anew or (not early and own is not None and any(root["service"] == own.service for root in incident.roots))
    new = _on_its_own(incident, loud, policy.services)
    named = [(alert, name) for alert in loud for name in policy.route(_labels(alert, incident))]
    names = [name for alert, name in named if anew or alert.service in new or name in incident.told_only]
    names += [name for name in also if softer or name in incident.told_only]
    if anew:
        names += [name for name in incident.channels if name not in incident.told_only]
    names = called({"channels": names, "page": again}, incident.channels, incident.told_only)[0]
    if names:
        first = own or loud[0]
        about = {} if own is None else _about(own, incident)
        page = {"page": True} if again else {}
        _add(draft, incident.number, f"{first.name} ({first.service}) asks for a page", names, **about, **page)


def _on_its_own(incident: "Incident", loud: Sequence["StoredAlert"], services: "ServiceMap") -> set[str]:
    """The services that are paged for as if they had come alone: nothing of what they need asks for a page in it.

    Where the root has asked for none, or they are only suspected of it, that is no reason not to page for them.
    """
    just_now = {alert.fingerprint for alert in loud}
    goes_on = {
        key: incident.sorts[place].service
        for key, place in incident.sort_of.items()
        if key not in incident.tickets and incident.alerts.get(key) not in (None, "ended")
    }
    known = {service for key, service in goes_on.items() if key not in just_now}
    softer = wants_none(incident.labels)
    mine = {alert.service for alert in loud}
    new = mine if softer else (mine & {*incident.suspects}) - known
    alone = {name for name in new if not any(services.needs(name, deeper) for deeper in goes_on.values())}
    return alone | {incident.service} if softer else alone


def _worse(incident: "Incident", loud: Sequence["StoredAlert"], policy: "Policy") -> list[str]:
    """Whom the routes name for its severity: for its root, or where that asks for no page what lies deepest."""
    about = {incident.service}
    if wants_none(incident.labels):
        keys = [key for key, state in incident.alerts.items() if state == "firing" and key not in incident.tickets]
        firing = {incident.sorts[incident.sort_of[key]].service for key in keys if key in incident.sort_of}
        deepest = {name for name in firing if not any(policy.services.needs(name, other) for other in firing)}
        mine = {alert.service for alert in loud}
        about = {name for name in deepest if name in mine or any(policy.services.needs(one, name) for one in mine)}
    labels = {**aloud(incident.labels), "severity": incident.severity}
    return [name for service in sorted(about) for name in policy.route({**labels, "service": service})]


def _had_been_over(before: "Incident", now: datetime, policy: "Policy") -> bool:
    """Without the alerts that ask for no page it would have been resolved, and be opened again now."""
    over = before.loud_over_at
    return over is not None and policy.auto_resolve is not None and now - over >= timedelta(seconds=policy.auto_resolve)


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
        _add(draft, number, words, names, title=other.title)


def _about(alert: "StoredAlert", incident: "Incident") -> dict[str, Any]:
    """What it is about from now on. The labels stay as long as its root has asked for no page."""
    title = alert.summary if incident.drill is None else f"[DRILL] {alert.summary}"
    return {"title": title, **({"labels": _labels(alert, incident)} if alert.service == incident.service else {})}


def _labels(alert: "StoredAlert", incident: "Incident") -> dict[str, str]:
    labels = {**alert.labels, "service": alert.service, "severity": incident.severity}
    return labels if incident.drill is None else {**labels, "drill": incident.drill}


def _add(draft: "Draft", number: int, words: str, names: Iterable[str], **data: Any) -> None:
    draft.add(number, "paging", words, {"channels": list(dict.fromkeys(names)), **data})
