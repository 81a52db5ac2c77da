"""Which incident an alert belongs to: its own, one along the dependencies, or a new one. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from incident.core import cadence, model
from incident.core.alerts import FIRING, RESOLVED, DrillWindow, StoredAlert, labels_of
from incident.core.folding import Draft
from incident.core.merging import take_in
from incident.core.model import Incident
from incident.core.services import ServiceMap
from incident.core.severity import Scale, propose, with_reason
from incident.core.similar import signature
from incident.core.suspecting import Suspicion
from probes.duration import format_duration

Group = Mapping[str, Any]  # labels, and whether it goes across services
Side = tuple[str | None, Group | None, bool]  # the drill, the group, whether nobody is paged: see `Incident.side`


def _no_runbooks(labels: Mapping[str, str]) -> Sequence[str]:
    return ()


def _no_obstacles(incident: Incident) -> Sequence[str]:
    return ()


def no_group(labels: Mapping[str, str]) -> Group | None:
    return None


@dataclass(frozen=True)
class Policy:
    """What the workspace says; times in seconds.

    `route` gives the channels for labels. `group` gives the group of an alert whose route says `group_by`; its labels
    are given whole. `auto_resolve`: in monitoring, None for never. `settle`: alerts of other services than the root's
    go on for so long without it before they stand on their own. `rejoin`: an alert that fires again so long after its
    incident was resolved opens that again, None for never; `page_again`: the least time between two pages of that.
    `storm`: so much comes at once that services which need the same are taken to suffer from the same.
    """

    services: ServiceMap
    route: Callable[[Mapping[str, str]], tuple[str, ...]]
    runbooks: Callable[[Mapping[str, str]], Sequence[str]] = _no_runbooks
    drills: tuple[DrillWindow, ...] = ()
    auto_resolve: float | None = None
    obstacles: Callable[[Incident], Sequence[str]] = _no_obstacles  # what speaks against closing an incident now
    settle: float = 60.0
    rejoin: float | None = None
    page_again: float = 600.0
    group: Callable[[Mapping[str, str]], Group | None] = no_group
    scale: Scale = field(default_factory=Scale)
    storm: bool = False


@dataclass
class Placing:
    """One round of it. `batch`: the alerts that came together. `belongs`: the incident of each that now has one."""

    draft: Draft
    policy: Policy
    batch: Sequence[StoredAlert]
    belongs: dict[str, int] = field(default_factory=dict)
    rooted: set[tuple[int, str]] = field(default_factory=set)  # incidents that have looked for what needs their service
    found: dict[tuple[str, str | None, bool], int] = field(default_factory=dict)
    """By service, drill and whether nobody is paged, in this round."""
    back: set[int] = field(default_factory=set)  # incidents whose own service fires, by this round's alerts
    _of_service: dict[str, list[StoredAlert]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.suspicion = Suspicion(self.draft, self.policy.services, self.policy.route)
        for alert in self.batch:
            if alert.state == FIRING:
                self._of_service.setdefault(alert.service, []).append(alert)

    def place(self, alert: StoredAlert) -> int | None:
        """The number of its incident; None when it says nothing new."""
        own = self._own(alert)
        known = None if own is None else own.alerts.get(alert.fingerprint)
        if alert.state != FIRING:
            wanted = model.ENDED if alert.state == RESOLVED else model.STALE
            return None if own is None or known in (None, wanted) else own.number
        if own is not None and known is not None:
            if known == model.FIRING and (own.open or not _began_after(alert, own)):
                return None  # a repeat; or people closed the incident although it fires
            if own.open:
                if alert.quiet != own.ticket:  # a person has brought it there
                    return own.number
                if self.policy.services.needs(own.service, alert.service):  # it lay there before, and does again
                    self.reroot(own, alert)
                    own = self.draft.incidents[own.number]
                self._joins(own.number, alert)
                return own.number
        return self.settle_in(alert, own)

    def _own(self, alert: StoredAlert) -> Incident | None:
        number = alert.incident
        while number is not None:
            incident = self.draft.incidents.get(number)
            if incident is None or incident.merged_into is None:
                return incident
            number = incident.merged_into
        return None

    def settle_in(self, alert: StoredAlert, before: Incident | None = None) -> int:
        """Where an alert goes that has no open incident. `before`: the one that it had."""
        side = drill, group, ticket = self._drill(alert.service), self._group(alert), alert.quiet
        known = self.found.get((alert.service, drill, ticket)) if group is None else None
        if known is not None and self.draft.incidents[known].open:
            return known
        found = self.related(alert.service, side) or self._suspect(alert, side)
        if found is None:
            if before is not None and self._rejoins(before, side):
                found = self._reopen(before, alert)
            else:
                found = self._open(alert, drill, group)
        elif self.policy.services.needs(found.service, alert.service):
            self.reroot(found, alert)
        self._joins(found.number, alert)
        if group is None:
            self.found[alert.service, drill, ticket] = found.number
        return found.number

    def _joins(self, number: int, alert: StoredAlert) -> None:
        if self.draft.incidents[number].service == alert.service:
            self.back.add(number)
            self._take_in_dependents(number)

    def _group(self, alert: StoredAlert) -> Group | None:
        return None if self.policy.group is no_group else self.policy.group(labels_of(alert, None))

    def _drill(self, service: str) -> str | None:
        return next((window.name for window in self.policy.drills if window.covers(service, self.draft.now)), None)

    def related(self, service: str, side: Side, apart_from: frozenset[int] = frozenset()) -> Incident | None:
        """The open incident of this service, else of one that it needs, else one that it is part of, else of one that
        needs it; the oldest each."""
        services = self.policy.services
        candidates = self._candidates(side, apart_from)
        if side[1] is not None and side[1]["across"]:
            return candidates[0] if candidates else None
        for fits in (
            lambda one: one.service == service,
            lambda one: services.needs(service, one.service) and self.draws(one),
            lambda one: _is_part_of(service, one),
            lambda one: services.needs(one.service, service),
        ):
            for incident in candidates:
                if fits(incident):
                    return incident
        return None

    def _candidates(self, side: Side, apart_from: frozenset[int] = frozenset()) -> list[Incident]:
        return [
            one
            for number, one in sorted(self.draft.incidents.items())
            if one.open and one.side == side and number not in apart_from
        ]

    def _suspect(self, alert: StoredAlert, side: Side) -> Incident | None:
        if not self.policy.storm:
            return None
        goes_on = (one for one in self._candidates(side) if self._fires(one) and self.draws(one))
        return self.suspicion.find(alert, goes_on)

    def _fires(self, incident: Incident) -> bool:
        return model.FIRING in incident.alerts.values() or incident.number in self.belongs.values()

    def draws(self, incident: Incident) -> bool:
        """Whether what needs its service is its trouble too: not when that has been over for long enough."""
        over = None if incident.number in self.back else incident.root_over_at
        return over is None or self.draft.now < over + timedelta(seconds=self.policy.settle)

    def _open(self, alert: StoredAlert, drill: str | None, group: Group | None) -> Incident:
        labels = labels_of(alert, drill)
        severity, reason = self._severity(alert, drill, group)
        labels["severity"] = severity
        title = _title(alert, drill)
        said = f"{title}. {with_reason(severity, reason)}" if reason else title
        data: dict[str, Any] = {
            "title": title,
            "service": alert.service,
            "severity": severity,
            "reason": reason,
            "drill": drill,
            "since": alert.starts_at.isoformat(),
            "labels": labels,
            "channels": list(self.policy.route(labels)),
            "signature": signature(alert),
        }
        if alert.quiet:
            data["ticket"] = True
        if group is not None:
            data["group"] = dict(group)
        return self.add_runbooks(self.draft.open(said, data), labels)

    def _severity(self, alert: StoredAlert, drill: str | None, group: Group | None) -> tuple[str, str | None]:
        """Of an incident about to open: all that came together of its service counts, so that people are paged once."""
        together = [
            other.sort
            for other in self._of_service.get(alert.service, ())
            if other.quiet == alert.quiet and (group is None or self._group(other) == group)
        ]
        found = propose(alert.service, [alert.sort, *together], self.policy.services, self.policy.scale)
        return (alert.severity, None) if found is None else (found.severity, found.reason)

    def add_runbooks(self, incident: Incident, labels: Mapping[str, str]) -> Incident:
        return add_runbooks(incident, labels, self.draft, self.policy)

    def reroot(self, incident: Incident, alert: StoredAlert, words: str = "") -> None:
        """The trouble lies in this alert's service: whoever the routes name for it is told as well.

        Where it lay there before, and had gone, they are paged again, unless they have been just now. `words`: why it
        does, where no news of this alert says so; then nobody is paged a second time.
        """
        was = incident.service
        back = not words and any(root["service"] == alert.service for root in incident.roots)
        labels = {**labels_of(alert, incident.drill), "severity": incident.severity}
        by_hand = "alertname" not in incident.labels  # then the title is a person's
        data = {
            "service": alert.service,
            "was": was,
            "title": incident.title if by_hand else _title(alert, incident.drill),
            "labels": labels,
            "channels": list(self.policy.route(labels)),
            "page": back and self._may_page_again(incident),
            "explains": [name for name in incident.suspects if self.policy.services.needs(name, alert.service)],
        }
        words = words or f"{was} needs {alert.service}, which is in trouble: it lies there"
        self.add_runbooks(self.draft.add(incident.number, "service", words, data), labels)

    def _take_in_dependents(self, number: int) -> None:
        """Open incidents of services that need this one's go on in it: one cause, one incident."""
        root = self.draft.incidents[number]
        if (number, root.service) not in self.rooted:
            self.rooted.add((number, root.service))
            self.take_in_dependents(root)

    def take_in_dependents(self, root: Incident) -> None:
        for number, other in sorted(self.draft.incidents.items()):
            alike = number != root.number and other.open and other.side == root.side
            if alike and self.policy.services.needs(other.service, root.service):
                take_in(self.draft.incidents[root.number], other, self.draft)
                self.belongs.update(dict.fromkeys(other.alerts, root.number))

    def _rejoins(self, before: Incident, side: Side) -> bool:
        if before.side != side or before.open or self.policy.rejoin is None or before.resolved_at is None:
            return False
        return self.draft.now - before.resolved_at <= timedelta(seconds=self.policy.rejoin)

    def _may_page_again(self, incident: Incident) -> bool:
        paged = incident.paged_at
        return paged is None or self.draft.now - paged >= timedelta(seconds=self.policy.page_again)

    def _reopen(self, before: Incident, alert: StoredAlert) -> Incident:
        now, resolved = self.draft.now, before.resolved_at or self.draft.now
        page = not before.ticket and self._may_page_again(before)
        after = format_duration(max(0, round((now - resolved).total_seconds())))
        words = f"{alert.name} ({alert.service}) fires again {after} after it was resolved: it goes on here"
        data = {"next_update_due": cadence.first(now).isoformat(), "page": page}
        return self.draft.add(before.number, "reopened", words, data)


def _is_part_of(service: str, incident: Incident) -> bool:
    """Alerts of the service fire in the incident, or a person has said that its trouble is the same."""
    if service not in incident.services:
        return False
    if any(brought.get("by_hand") and service in brought["services"] for brought in incident.taken_in.values()):
        return True
    its = {place for place, sort in enumerate(incident.sorts) if sort.service == service}
    return any(
        place in its and incident.alerts.get(fingerprint) == model.FIRING
        for fingerprint, place in incident.sort_of.items()
    )


def _began_after(alert: StoredAlert, incident: Incident) -> bool:
    return incident.resolved_at is not None and alert.starts_at > incident.resolved_at


def _title(alert: StoredAlert, drill: str | None) -> str:
    return f"[DRILL] {alert.summary}" if drill is not None else alert.summary


def add_runbooks(incident: Incident, labels: Mapping[str, str], draft: Draft, policy: Policy) -> Incident:
    new = [name for name in policy.runbooks(labels) if name not in incident.runbooks]
    if not new:
        return incident
    return draft.add(incident.number, "runbook", f"Runbook: {', '.join(new)}", {"runbooks": new})


def due(since: datetime | None, seconds: float) -> datetime | None:
    return None if since is None else since + timedelta(seconds=seconds)


def by_depth(alerts: Iterable[StoredAlert], services: ServiceMap) -> list[StoredAlert]:
    """Deeper services first, so that what arrives together is one incident at once."""
    return sorted(alerts, key=lambda alert: services.depth(alert.service))
