"""What the public may know, and nothing else: the status page as data. Pure.

It follows what was said publicly. Of an incident only its public updates come in, and its services, severity and
status as they were when the last of them was written; titles, labels, annotations and notes stay inside.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incident.core.folding import fold
from incident.core.model import Event, Incident
from probes.files.settings import Service

RECENT = timedelta(days=7)
FRESH = timedelta(seconds=30)  # a page says as of when it is; it is made anew after this even if nothing happened
STATES = ("operational", "degraded_performance", "partial_outage", "major_outage")  # in order of pain
_STATE_OF = {
    "SEV1": "major_outage",
    "SEV2": "partial_outage",
    "SEV3": "degraded_performance",
    "SEV4": "degraded_performance",
}
_INDICATOR_OF = dict(zip(STATES, ("none", "minor", "major", "critical"), strict=True))
_HAN = re.compile("[\u3400-\u9fff]")


def has_han(text: str) -> bool:
    """Whether a text is Chinese, as far as its characters tell: a reader's voice changes its language by that."""
    return _HAN.search(text) is not None


@dataclass(frozen=True, slots=True)
class Update:
    """One thing said. `automatic`: by the page itself, in its own words; `text` is empty then."""

    seq: int
    at: datetime
    status: str
    text: str = ""
    text_zh: str | None = None
    automatic: bool = False

    def say(self, lang: str) -> tuple[str, str]:
        """The text for readers of `lang` (en, zh), and the HTML language that it is in."""
        if lang == "zh" and self.text_zh:
            return self.text_zh, "zh-Hans"
        return self.text, "zh-Hans" if has_han(self.text) else "en"


@dataclass(frozen=True, slots=True)
class Notice:
    """An incident as the public sees it. `updates`: the newest first. `names`: titles of its services, by language."""

    number: int
    severity: str
    status: str
    services: tuple[str, ...]
    opened_at: datetime
    resolved_at: datetime | None
    updates: tuple[Update, ...]
    drill: bool = False
    names: Mapping[str, tuple[str, ...]] | None = None

    @property
    def state(self) -> str:
        """What it does to its components. While the recovery is watched, they may still fail now and then."""
        return STATES[1] if self.status == "monitoring" else _STATE_OF[self.severity]

    @property
    def look(self) -> str:
        return "resolved" if self.status == "resolved" else self.state

    @property
    def changed_at(self) -> datetime:
        return max(self.resolved_at or self.opened_at, *(update.at for update in self.updates))

    def title(self, lang: str, words: Mapping[str, str]) -> str:
        names = (self.names or {}).get(lang, ())
        return words["problem"].format(words["joined_by"].join(names)) if names else words["problem_unnamed"]


@dataclass(frozen=True, slots=True)
class Component:
    name: str
    title: Mapping[str, str]  # by language
    group: str | None
    state: str = STATES[0]


@dataclass(frozen=True, slots=True)
class Group:
    name: str | None
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """The whole page. It is true until `valid_until`, if no event comes before."""

    components: tuple[Component, ...]
    open: tuple[Notice, ...]
    recent: tuple[Notice, ...]
    updated_at: datetime
    valid_until: datetime

    @property
    def groups(self) -> list[Group]:
        """In the order of shopwatch.yaml; each group stands where its first service does."""
        names = dict.fromkeys(component.group for component in self.components)
        return [Group(name, tuple(c for c in self.components if c.group == name)) for name in names]

    @property
    def indicator(self) -> str:
        """none, minor, major or critical. What is open and touches no part shown here is at least minor."""
        states = [component.state for component in self.components] + [STATES[1] for _ in self.open]
        return _INDICATOR_OF[max(states, key=STATES.index, default=STATES[0])]


def notice(incident: Incident, events: Sequence[Event]) -> Notice | None:
    """What was publicly said of an incident; None if nothing was."""
    spoken = [event for event in events if event.kind == "update" and event.data.get("public")]
    if not spoken:
        return None
    then = fold(events[: spoken[-1].seq])
    over = not incident.open and incident.merged_into is None  # what was merged goes on elsewhere
    statuses = {event.seq: _status_at(events, event) for event in spoken}
    return Notice(
        number=incident.number,
        severity=then.severity,
        status="resolved" if over else then.status,
        services=then.services,
        opened_at=incident.opened_at,
        resolved_at=incident.resolved_at if over else then.resolved_at,
        updates=tuple(_update(event, statuses[event.seq]) for event in reversed(spoken)),
        drill=incident.drill is not None,
    )


def automatic_notice(incident: Incident, after: float | None) -> Notice | None:
    """The notice of a grave incident of which nobody speaks, to be shown from its update's instant on.

    What had recovered by then says nothing; what recovers afterwards is shown as being watched.
    """
    if after is None or not incident.open or incident.severity not in ("SEV1", "SEV2"):
        return None
    at = incident.opened_at + timedelta(seconds=after)
    watched = incident.status == "monitoring"
    if watched and (incident.mitigated_at or at) <= at:
        return None
    status = "monitoring" if watched else "investigating"
    said = Update(0, at, "investigating", automatic=True)
    number, services = incident.number, incident.services
    drill = incident.drill is not None
    return Notice(number, incident.severity, status, services, incident.opened_at, None, (said,), drill)


def board(services: Mapping[str, Service], notices: Iterable[Notice], now: datetime) -> Board:
    """Puts it together. Notices whose only update lies in the future (automatic ones) wait for it."""
    known = sorted(notices, key=lambda item: (item.opened_at, item.number), reverse=True)
    shown = [_named(item, services) for item in known if item.updates[-1].at <= now]
    current = tuple(item for item in shown if item.status != "resolved")
    recent = [
        item
        for item in shown
        if item.resolved_at is not None and now - item.resolved_at < RECENT and item not in current
    ]
    changes = [item.updates[-1].at for item in known if item.updates[-1].at > now]
    return Board(
        components=tuple(_component(name, service, current) for name, service in services.items() if service.public),
        open=current,
        recent=tuple(sorted(recent, key=lambda item: item.changed_at, reverse=True)),
        updated_at=now,
        valid_until=min([now + FRESH, *changes]),
    )


def merged(notices: Iterable[Notice], targets: Mapping[int, Incident]) -> list[Notice]:
    """What was said of an incident that went on in another is said there. `targets`: by number of what was merged."""
    by_number = {item.number: item for item in notices}
    for number, target in targets.items():
        item = by_number.pop(number, None)
        if item is None:
            continue
        other = by_number.get(target.number)
        if other is not None:
            updates = sorted({*item.updates, *other.updates}, key=lambda update: (update.at, update.seq), reverse=True)
            by_number[target.number] = replace(other, updates=tuple(updates))
        elif target.open:
            by_number[target.number] = replace(item, number=target.number)
        else:
            by_number[target.number] = replace(
                item, number=target.number, status="resolved", resolved_at=target.resolved_at
            )
    return list(by_number.values())


def _status_at(events: Sequence[Event], event: Event) -> str:
    return fold(events[: event.seq]).status


def _update(event: Event, status: str) -> Update:
    return Update(event.seq, event.at, status, event.text, event.data.get("text_zh"))


def _component(name: str, service: Service, current: Sequence[Notice]) -> Component:
    states = [item.state for item in current if name in item.services]
    worst = max(states, key=STATES.index, default=STATES[0])
    return Component(name, {"en": service.title, "zh": service.title_zh or service.title}, service.group, worst)


def _named(item: Notice, services: Mapping[str, Service]) -> Notice:
    public = [services[name] for name in item.services if name in services and services[name].public]
    names = {"en": tuple(s.title for s in public), "zh": tuple(s.title_zh or s.title for s in public)}
    return replace(item, names=names)
