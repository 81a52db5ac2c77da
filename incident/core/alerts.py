"""What the store knows of an alert, and how a newer word about it is merged in, as Alertmanager does. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar

from incident.core.model import SEVERITIES
from incident.core.paging import wants_none
from incident.core.sorts import Sort
from incident.errors import Refused
from probes.alert import Alert, fingerprint

FIRING, RESOLVED, STALE = "firing", "resolved", "stale"
UNASSIGNED = "unassigned"
_WORDS = {"critical": "SEV1", "error": "SEV2", "warning": "SEV3", "info": "SEV4", "none": "SEV4"}
_MAX_NAME = 200
_SHORT = 64  # characters of a text that is worth remembering
_DOWN_AT = "SEV2"  # an alert from outside that is at least as bad says that something is down
_JOURNEY_DOWN = "JourneyDown"
DEAD_MANS_SWITCH = "DeadMansSwitch"  # nothing is known to be down, only that nobody would tell

T = TypeVar("T")


class _once(Generic[T]):  # noqa: N801 - a decorator
    """As functools.cached_property, without the lock that it has until Python 3.12: thousands are read at a time."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__

    def __get__(self, one: Any, _: type) -> T:
        found = one.__dict__[self._name] = self._make(one)
        return found


@dataclass
class StoredAlert:
    """One alert, known by the fingerprint of its labels. `starts_at` is the start of the present activity.

    Nobody changes one; it is not frozen because to make one would take seven times as long, and a storm makes many.
    `state` is firing, resolved (its source said so) or stale (`ends_at` passed without a word).
    `incident` is the one that this activity belongs to; until the engine has decided on a new one, that of the last.
    """

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    updated_at: datetime
    source: str
    state: str
    generator_url: str = ""
    timeout: bool = False
    incident: int | None = None
    of_service: str | None = None  # what its source's settings say, where its labels say nothing
    of_severity: str | None = None
    muted: Mapping[str, list[str]] | None = None  # why it is held back, as `core.muting` has it; None: it is not

    @_once
    def service(self) -> str:
        return readable(self.labels.get("service", "")) or self.of_service or UNASSIGNED

    @_once
    def matched(self) -> Mapping[str, str]:
        """What matchers of silences and inhibit rules see: its labels, and the service that its source stands for."""
        named = self.of_service is None or "service" in self.labels
        return self.labels if named else {**self.labels, "service": self.of_service or ""}

    @_once
    def severity(self) -> str:
        return self.of_severity or severity_of(self.labels)

    @_once
    def name(self) -> str:
        return readable(self.labels.get("alertname", "")) or "alert"

    @_once
    def summary(self) -> str:
        """One line for people: what the source says of it, else its name."""
        said = self.annotations.get("summary") or self.annotations.get("message") or self.annotations.get("description")
        return readable(said or "") or self.name

    @_once
    def quiet(self) -> bool:
        """It asks for no page."""
        return wants_none(self.labels)

    @_once
    def sort(self) -> Sort:
        outside = "journey" not in self.labels and self.severity <= _DOWN_AT and self.name != DEAD_MANS_SWITCH
        location, step = readable(self.labels.get("location", "")), readable(self.annotations.get("step", ""))
        return Sort(self.service, self.severity, location, step, self.name == _JOURNEY_DOWN or outside)


def readable(text: str) -> str:
    """Text from outside as one short line: control characters are gone, the rest is as it was."""
    return _known(text) if len(text) <= _SHORT else _readable(text)


def _readable(text: str) -> str:
    if len(text) <= _MAX_NAME and text.isprintable():
        return " ".join(text.split())
    words = "".join(character if character.isprintable() else " " for character in text[: 4 * _MAX_NAME]).split()
    return " ".join(words)[:_MAX_NAME]


_known = lru_cache(maxsize=1 << 13)(_readable)


def labels_of(alert: StoredAlert, drill: str | None) -> dict[str, str]:
    """What routes, groups and runbooks see of it."""
    labels = {**alert.labels, "service": alert.service, "severity": alert.severity}
    return labels if drill is None else {**labels, "drill": drill}


def severity_of(labels: Mapping[str, str]) -> str:
    """SEV1 to SEV4, from the label `severity`: as such, or as the words that Prometheus rules use. Unknown: SEV3."""
    said = labels.get("severity", "").strip()
    return said.upper() if said.upper() in SEVERITIES else _WORDS.get(said.lower(), "SEV3")


@dataclass(frozen=True)
class SourceWords:
    """What the settings say of a source: the service of alerts that name none, and its own words for severities."""

    service: str | None = None
    severities: Mapping[str, str] = field(default_factory=dict)

    def severity(self, labels: Mapping[str, str]) -> str | None:
        return self.severities.get(labels.get("severity", "").strip())


_NO_WORDS = SourceWords()


def severity_words(level: str) -> list[str]:
    """What sources say for SEV1, SEV2, …, in any case of letters."""
    return [level, *(word for word, meant in _WORDS.items() if meant == level)]


def accept(alert: Alert, source: str, now: datetime, words: SourceWords = _NO_WORDS) -> StoredAlert:
    """An alert that just came in. Empty labels are dropped. Raises Refused when it can have no identity."""
    labels, identity = alert.labels, alert.identity
    if not identity:
        labels, identity = _identified(alert)
    return StoredAlert(
        fingerprint=identity,
        labels=labels,
        annotations=alert.annotations,
        starts_at=alert.starts_at,
        ends_at=alert.ends_at,
        updated_at=now,
        source=source,
        state=RESOLVED if alert.ends_at <= now else FIRING,
        generator_url=alert.generator_url,
        timeout=alert.timeout,
        of_service=words.service,
        of_severity=words.severity(labels),
    )


def _identified(alert: Alert) -> tuple[dict[str, str], str]:
    labels = {name: value for name, value in alert.labels.items() if value}
    if not labels:
        raise Refused("an alert needs at least one label that is not empty")
    try:
        "".join([*alert.annotations.keys(), *alert.annotations.values(), alert.generator_url]).encode()
        return labels, fingerprint(labels)
    except UnicodeEncodeError:
        raise Refused("an alert holds text that is not Unicode (a lone surrogate)") from None


class Standing(Protocol):
    """What has to be known of a stored alert to merge a newer word about it."""

    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime: ...
    @property
    def state(self) -> str: ...
    @property
    def timeout(self) -> bool: ...
    @property
    def incident(self) -> int | None: ...
    @property
    def muted(self) -> Mapping[str, list[str]] | None: ...


def merge(old: Standing, new: StoredAlert) -> StoredAlert:
    """`new` came after `old`, which has the same labels. Source: alertmanager's Alert.Merge and provider/mem Put.

    Where the two ranges overlap they are one activity: it starts when the earlier did, and an explicit later end
    rules while it fires. The order of arrival decides which is newer, not the clock, which may have jumped.
    """
    if new.starts_at > old.ends_at or (new.starts_at == old.ends_at and old.state != FIRING):
        return replace(new, incident=old.incident)  # an activity of its own, which may join where the last one was
    ends_at, timeout = new.ends_at, new.timeout
    if new.state == RESOLVED:
        if old.state == RESOLVED:
            ends_at = max(old.ends_at, new.ends_at)
    elif old.ends_at > new.ends_at and not old.timeout:
        ends_at, timeout = old.ends_at, False
    return StoredAlert(
        fingerprint=new.fingerprint,
        labels=new.labels,
        annotations=new.annotations,
        starts_at=min(old.starts_at, new.starts_at),
        ends_at=ends_at,
        updated_at=new.updated_at,
        source=new.source,
        state=new.state,
        generator_url=new.generator_url,
        timeout=timeout,
        incident=old.incident,
        of_service=new.of_service,
        of_severity=new.of_severity,
        muted=old.muted,
    )


def news(old: Standing | None, new: StoredAlert) -> bool:
    """Whether the engine must look at `new`: it changed its state, or is an activity that it has not seen."""
    if old is None or old.state != new.state:
        return True
    unseen = new.incident is None or new.starts_at > old.ends_at
    return unseen and new.muted is None and new.state == FIRING


@dataclass(frozen=True)
class DrillWindow:
    """While it is open, alerts of its services (None: of all) and the incidents they open are marked as the drill's."""

    number: int
    name: str
    target: str
    services: tuple[str, ...] | None
    opened_at: datetime
    until: datetime
    actor: str
    closed_at: datetime | None = None
    scorecard: Mapping[str, Any] | None = None

    def covers(self, service: str, now: datetime) -> bool:
        return self.open(now) and (self.services is None or service in self.services)

    def open(self, now: datetime) -> bool:
        return self.closed_at is None and now < self.until

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "name": self.name,
            "target": self.target,
            "services": None if self.services is None else list(self.services),
            "opened_at": self.opened_at.isoformat(),
            "until": self.until.isoformat(),
            "actor": self.actor,
            "closed_at": None if self.closed_at is None else self.closed_at.isoformat(),
            "scorecard": None if self.scorecard is None else dict(self.scorecard),
        }
