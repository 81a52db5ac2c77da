"""Silences: people's word that alerts with certain labels shall be quiet for a while. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from incident.core.alerts import StoredAlert
from incident.core.muting.mute import Alone, Mute
from incident.core.muting.windows import Recurrence, Span, Window
from probes.labels import LabelMatcher, all_match


class State(StrEnum):
    ACTIVE = "active"
    PENDING = "pending"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Silence:
    """`ends_at` is None only for one that recurs without an end."""

    id: str
    matchers: tuple[LabelMatcher, ...]
    starts_at: datetime
    ends_at: datetime | None
    created_by: str
    comment: str
    updated_at: datetime
    annotations: Mapping[str, str] = field(default_factory=dict)
    recurrence: Recurrence | None = None
    remind_at: datetime | None = None

    @property
    def window(self) -> Window:
        return Window(self.starts_at, self.ends_at, self.recurrence)

    def span(self, now: datetime) -> Span:
        """The window that is open, else the next one, else the last: what Alertmanager's clients are shown."""
        end = self.starts_at if self.ends_at is None else self.ends_at
        return self.window.span(now) or (min(self.starts_at, end), end)

    def state(self, now: datetime) -> State:
        span = self.window.span(now)
        if span is None:
            return State.EXPIRED
        return State.ACTIVE if span[0] <= now else State.PENDING

    def covers(self, labels: Mapping[str, str]) -> bool:
        return all_match(self.matchers, labels)


class Silences(Alone):
    """The stage. Those with a plain `name="value"` are found by it, so that a hundred cost no more than a few."""

    def __init__(self, silences: Iterable[Silence]) -> None:
        self._all = tuple(sorted(silences, key=lambda silence: silence.id))
        self._at: datetime | None = None
        self._keyed: dict[str, dict[str, list[Silence]]] = {}
        self._rest: list[Silence] = []

    def mute(self, alert: StoredAlert, now: datetime) -> Mute | None:
        if now != self._at:
            self._arrange(now)
        candidates = list(self._rest)
        for name, by_value in self._keyed.items():
            candidates.extend(by_value.get(alert.matched.get(name, ""), ()))
        found = [silence.id for silence in candidates if silence.covers(alert.matched)]
        return Mute(silenced_by=tuple(sorted(found))) if found else None

    def edge(self, now: datetime) -> datetime | None:
        edges = (silence.window.edge(now) for silence in self._all)
        return min((edge for edge in edges if edge is not None), default=None)

    def _arrange(self, now: datetime) -> None:
        self._at, self._keyed, self._rest = now, {}, []
        for silence in self._all:
            if not silence.window.open(now):
                continue
            plain = next((m for m in silence.matchers if m.is_equal and not m.is_regex), None)
            if plain is None:
                self._rest.append(silence)
            else:
                self._keyed.setdefault(plain.name, {}).setdefault(plain.value, []).append(silence)
