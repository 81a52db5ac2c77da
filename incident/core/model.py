"""The incident: an append-only list of events, and the state that is their fold (`core.folding`). Pure.

Kinds of event, and what their `data` holds (always JSON):

| kind            | data                                                                                          |
| --------------- | --------------------------------------------------------------------------------------------- |
| opened          | title, service, severity, reason, drill, group, since (first sign), labels, channels, ticket     |
|                 | (nobody is paged), next_update_due                                                              |
| alert           | fingerprints, services, sorts, sort_of (core.sorts), alerts (the first few, for reading): they  |
|                 | fire                                                                                            |
| alert_ended     | fingerprints: their source says that they are over                                              |
| alert_stale     | fingerprints: their source went silent, which is no recovery                                    |
| service         | service, was, title, labels, channels (told from now on), page (they are paged although they    |
|                 | were told before), explains (suspects that need it): the trouble lies deeper                    |
| suspected       | services, shared, channels (told from now on): these are in trouble too, and need the same      |
| severity        | severity, was, reason, channels (told from now on), page (people are paged for a ticket)        |
| status          | status, was                                                                                     |
| acknowledged    | again: somebody had before                                                                      |
| note            |                                                                                                 |
| update          | public, text_zh, status, was, next_update_due                                                   |
| assigned        | role, who                                                                                       |
| runbook         | runbooks                                                                                        |
| paged           | channel, key: the page was delivered                                                            |
| delivery_failed | channel, key, error: given up                                                                   |
| took_in         | incident, alerts (fingerprint: state), services, channels, said_publicly, ticket (it was one):  |
|                 | another came over                                                                               |
| gave_back       | incident, alerts: one that had come over stands on its own again                                |
| merged          | into: this incident goes on in another                                                          |
| unmerged        | from, alerts (fingerprint: state), status, next_update_due: it stands on its own again          |
| linked          | incident, how                                                                                   |
| unlinked        | incident                                                                                        |
| task            | task (its number), text, kind (task, action_item), owner, due                                   |
| task_change     | task, and what changed of text, owner, due                                                      |
| task_done       | task, done (false: it is not after all)                                                         |
| cause           | cause: a root cause, in the same words each time                                                |
| attached        | attachment (its id), name, media_type, size, sha256, run, fingerprint                           |
| redacted        | seq: the event that was blanked                                                                 |
| similar         | incident (an earlier one), how (failure, cause), cause, undone (action items), said             |
| review          | version, text: the review as somebody published it                                              |
| overdue         | tasks: action items that should be done by now                                                  |
| let_go          | fingerprints, services: these alerts stand apart from it from now on                            |
| proposed        | severity: a lower one would fit now; people confirm it                                          |
| held_open       | obstacles: why it does not resolve by itself although all its alerts are over                     |
| silenced        | silence, ends_at: its alerts are held back from now on (silence_ended, silence_ending alike)     |
| resolved        |                                                                                                 |
| reopened        | next_update_due, page: those who were told are paged again                                      |

`data.via` is the mouth through which a person spoke.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from incident.core.sorts import Sorts, from_json

FIRING, ENDED, STALE = "firing", "ended", "stale"
STATUSES = ("investigating", "identified", "monitoring", "resolved")
SEVERITIES = ("SEV1", "SEV2", "SEV3", "SEV4")


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a timeline. `seq` counts from 1 in each incident and is the order; `at` may jump with the clock."""

    incident: int
    seq: int
    at: datetime
    actor: str
    kind: str
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "at": self.at.isoformat(),
            "actor": self.actor,
            "kind": self.kind,
            "text": self.text,
            "data": dict(self.data),
        }


@dataclass(frozen=True, slots=True)
class Incident:
    """The state after event `seq`. `alerts` maps fingerprint to firing, ended or stale, in the order they joined."""

    number: int
    seq: int
    title: str
    service: str  # the root: where the trouble lies
    services: tuple[str, ...]  # all that are touched, the root first
    severity: str
    status: str
    opened_at: datetime
    changed_at: datetime
    since: datetime  # the first sign of the trouble, by the source's clock
    drill: str | None = None
    acknowledged_at: datetime | None = None
    acknowledgers: tuple[str, ...] = ()  # in the order in which they did
    mitigated_at: datetime | None = None  # of the last move to monitoring
    quiet_since: datetime | None = None  # since when all alerts have been over
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    before_monitoring: str | None = None  # the status to go back to when an alert fires again
    roles: Mapping[str, str] = field(default_factory=dict)
    alerts: Mapping[str, str] = field(default_factory=dict)
    runbooks: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)  # of the root's first alert: what routes see
    channels: tuple[str, ...] = ()  # who has been told, and hears what follows
    ticket: bool = False  # nobody is paged for it: see `core.paging`
    next_update_due: datetime | None = None
    merged_into: int | None = None
    taken_in: Mapping[str, Any] = field(default_factory=dict)  # by number: the alerts and services that they brought
    said_publicly: str | None = None  # the status at the last public update
    links: Mapping[str, str] = field(default_factory=dict)  # by number: related, caused by, …
    tasks: Mapping[str, Any] = field(default_factory=dict)  # by their own numbers: text, kind, owner, due, done_at
    causes: tuple[str, ...] = ()
    attachments: Mapping[str, Any] = field(default_factory=dict)  # by id: name, media_type, size, run
    signature: Mapping[str, str] = field(default_factory=dict)  # what failed first, and how: see `core.similar`
    similar: Mapping[str, Any] = field(default_factory=dict)  # the last event of that kind
    review: Mapping[str, Any] = field(default_factory=dict)  # the published one: version, seq, at, by
    sorts: Sorts = ()
    sort_of: Mapping[str, int] = field(default_factory=dict)  # by fingerprint, which of `sorts`
    roots: tuple[Mapping[str, Any], ...] = ()  # service, title and labels that it had before the trouble lay deeper
    suspects: tuple[str, ...] = ()  # services that need what its own one needs, and joined it in a storm
    root_over_at: datetime | None = None  # since when all alerts of its own service have been over
    left_at: datetime | None = None  # since when alerts of other services have gone on without it
    reopened_at: datetime | None = None
    paged_at: datetime | None = None  # when somebody was paged last
    reason: str | None = None  # why it has its severity
    proposed: str | None = None  # a lower severity that would fit
    overruled: str | None = None  # the severity that people found too high
    held: tuple[str, ...] = ()  # why it does not resolve by itself
    group: Mapping[str, Any] | None = None  # of a route with `group_by`: labels, across (all services)

    @property
    def open(self) -> bool:
        return self.status != "resolved"

    @property
    def side(self) -> tuple[str | None, Mapping[str, Any] | None, bool]:
        """What breaks by itself on different ones is never one incident: the drill, the group, the ticket."""
        return self.drill, self.group, self.ticket

    @property
    def acknowledged_by(self) -> str | None:
        return self.acknowledgers[0] if self.acknowledgers else None

    @property
    def recovered(self) -> bool:
        """No alert fires any more, and none went silent without a word."""
        return all(state == ENDED for state in self.alerts.values())

    @property
    def elsewhere(self) -> frozenset[str]:
        """The alerts of other services than its own."""
        if self.group is not None and self.group["across"]:
            return frozenset()
        others = {place for place, sort in enumerate(self.sorts) if sort.service != self.service}
        return frozenset(key for key, place in self.sort_of.items() if place in others)

    def to_json(self, base_url: str = "") -> dict[str, Any]:
        """The shape fixed by the API, alike in CLI, API and webhooks."""
        return {
            "number": self.number,
            "title": self.title,
            "service": self.service,
            "services": list(self.services),
            "severity": self.severity,
            "status": self.status,
            "drill": self.drill,
            "opened_at": self.opened_at.isoformat(),
            "acknowledged_at": _iso(self.acknowledged_at),
            "acknowledged_by": self.acknowledged_by,
            "unpaged": self.ticket,
            "mitigated_at": _iso(self.mitigated_at),
            "resolved_at": _iso(self.resolved_at),
            "roles": dict(self.roles),
            "alerts": list(self.alerts),
            "firing": sum(state == FIRING for state in self.alerts.values()),
            "runbooks": list(self.runbooks),
            "next_update_due": _iso(self.next_update_due),
            "said_publicly": self.said_publicly,
            "reason": self.reason,
            "proposed": self.proposed,
            "group": None if self.group is None else dict(self.group["labels"]),
            "merged_into": self.merged_into,
            "links": [{"incident": int(number), "how": how} for number, how in self.links.items()],
            "tasks": [{"task": number, **item} for number, item in self.tasks.items()],
            "causes": list(self.causes),
            "attachments": [{"attachment": key, **item} for key, item in self.attachments.items()],
            "similar": dict(self.similar) or None,
            "review": dict(self.review) or None,
            "seq": self.seq,
            "url": f"{base_url.rstrip('/')}/incidents/{self.number}",
        }

    def to_state(self) -> dict[str, Any]:
        """Everything, as JSON, for the table that caches the fold. `from_state` reads it back."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Incident":
        values = dict(state)
        for name in _INSTANTS:
            values[name] = instant(values.get(name))
        for name in _TUPLES:
            values[name] = tuple(values.get(name, ()))
        values["sorts"] = from_json(values.get("sorts", ()))
        return cls(**values)


_INSTANTS = (
    "opened_at", "changed_at", "since", "acknowledged_at", "mitigated_at", "quiet_since", "resolved_at",
    "next_update_due", "root_over_at", "left_at", "reopened_at", "paged_at",
)  # fmt: skip
_TUPLES = ("services", "runbooks", "channels", "acknowledgers", "causes", "roots", "held", "suspects")


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
