"""What intake and engine do between commits, without a database: for tests of what is decided."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from incident.core.alerts import FIRING, RESOLVED, STALE, StoredAlert, accept, merge, news
from incident.core.apart import apart_due, left_behind, stand_apart
from incident.core.decide import Policy, decide, decide_time
from incident.core.deliveries import Message, Telling, messages
from incident.core.folding import Draft
from incident.core.merging import put_back, take_in
from incident.core.model import Event, Incident
from probes.alert import Alert
from tests.incident.conftest import START, firing


class World:
    """`alerts`: as stored, by fingerprint. `sent`: all messages; `pages`: (incident, event, channel), in order."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.now = START
        self.alerts: dict[str, StoredAlert] = {}
        self.incidents: dict[int, Incident] = {}
        self.events: list[Event] = []
        self.pages: list[tuple[int, int, str]] = []
        self.sent: list[Message] = []

    def fire(self, *services: str, severity: str = "SEV2", **labels: str) -> None:
        self.take_in(*(firing(service, self.now, severity=severity, **labels) for service in services))

    def end(self, *services: str, but: Collection[str] = ()) -> None:
        """The alerts of these services that fire or have gone silent are over, say their sources."""
        known = [one for one in self._of(services, but) if one.state != RESOLVED]
        self.take_in(*(Alert(one.labels, min(one.starts_at, self.now), self.now, one.annotations) for one in known))

    def take_in(self, *incoming: Alert) -> None:
        """As intake does, and then the engine."""
        waiting = {}
        for alert in incoming:
            new = accept(alert, "prober", self.now)
            old = self.alerts.get(new.fingerprint)
            merged = new if old is None else merge(old, new)
            if news(old, merged):
                waiting[merged.fingerprint] = merged
            self.alerts[merged.fingerprint] = merged
        self.decide(*waiting)

    def _of(self, services: Collection[str], but: Collection[str]) -> list[StoredAlert]:
        return [one for key, one in self.alerts.items() if one.service in services and key not in but]

    def silence(self, *services: str, but: Collection[str] = ()) -> None:
        """Their sources say nothing any more."""
        gone = [one.fingerprint for one in self._of(services, but) if one.state == FIRING]
        for key in gone:
            self.alerts[key] = replace(self.alerts[key], state=STALE)
        self.decide(*gone)

    def mute(self, service: str, muted: bool) -> None:
        freed = []
        for key, one in self.alerts.items():
            if one.service == service and (one.muted is not None) != muted:
                self.alerts[key] = replace(one, muted={"mutedBy": ["x"]} if muted else None)
                freed += [] if muted or one.state != FIRING else [key]
        self.decide(*freed)

    def decide(self, *fingerprints: str) -> None:
        draft = self.draft()
        heard_of = [self.alerts[key] for key in fingerprints]
        heard_of = [one for one in heard_of if one.muted is None or one.state != FIRING]
        self._move(decide(heard_of, draft, self.policy))
        self.keep(draft)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for number in list(self.incidents):
            draft = self.draft()
            decide_time(self.incidents[number], draft, self.policy)
            self.keep(draft)
            incident = self.incidents[number]
            due = apart_due(incident, self.policy)
            if due is not None and due <= self.now:
                draft = self.draft()
                left = [self.alerts[key] for key in left_behind(incident)]
                self._move(stand_apart(incident, left, draft, self.policy))
                self.keep(draft)

    def merge(self, number: int, into: int) -> None:
        draft = self.draft()
        take_in(draft.incidents[into], draft.incidents[number], draft, "mara")
        self._move(dict.fromkeys(self.incidents[number].alerts, into))
        self.keep(draft)

    def unmerge(self, number: int) -> None:
        draft = self.draft()
        into = draft.incidents[self.incidents[number].merged_into or 0]
        put_back(into, draft.incidents[number], draft, "mara")
        self._move(dict.fromkeys(draft.events[-2].data["alerts"], number))
        self.keep(draft)

    def say(self, number: int, kind: str, by: str = "mara", **data: object) -> None:
        draft = self.draft()
        draft.add(number, kind, "", data, by)
        self.keep(draft)

    def draft(self) -> Draft:
        return Draft(self.incidents.values(), len(self.incidents) + 1, self.now)

    def _move(self, belongs: object) -> None:
        assert isinstance(belongs, dict)
        for key, number in belongs.items():
            self.alerts[key] = replace(self.alerts[key], incident=number)

    def keep(self, draft: Draft) -> None:
        for message in messages(draft.events, self.incidents, draft.incidents, Telling()):
            self.sent.append(message)
            if message.kind == "page":
                self.pages.append((message.number, int(message.event["seq"]), message.channel))
        self.events += draft.events
        self.incidents = draft.incidents

    @property
    def open(self) -> list[Incident]:
        return [incident for incident in self.incidents.values() if incident.open]

    @property
    def roots(self) -> dict[str, str]:
        """Status of each open incident, by service."""
        return {incident.service: incident.status for incident in self.open}

    def kinds(self, number: int) -> list[str]:
        return [event.kind for event in self.events if event.incident == number]
