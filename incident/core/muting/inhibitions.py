"""Inhibit rules: while an alert of the source side fires, those of the target side are quiet. Pure.

Source of the rules: Alertmanager, inhibit/inhibit.go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from incident.core.alerts import FIRING, StoredAlert
from incident.core.muting.mute import Mute
from probes.labels import LabelMatcher, all_match

Key = tuple[str, ...]


@dataclass(frozen=True)
class InhibitRule:
    """`equal`: labels that both alerts must have alike; one that both lack is alike."""

    source: tuple[LabelMatcher, ...] = ()
    target: tuple[LabelMatcher, ...] = ()
    equal: tuple[str, ...] = ()


@dataclass
class _Known:
    """One rule and who fires on its two sides, by the values of its equal labels. True: on both sides at once."""

    rule: InhibitRule
    sources: dict[Key, dict[str, bool]] = field(default_factory=dict)
    targets: dict[Key, set[str]] = field(default_factory=dict)

    def key(self, labels: Mapping[str, str]) -> Key:
        return tuple(labels.get(name, "") for name in self.rule.equal)

    def take(self, alert: StoredAlert) -> Iterable[str]:
        source, target = all_match(self.rule.source, alert.matched), all_match(self.rule.target, alert.matched)
        key = self.key(alert.matched)
        if source:
            _put(self.sources, key, alert.fingerprint, target, alert.state == FIRING)
        if target:
            known = self.targets.setdefault(key, set())
            known.add(alert.fingerprint) if alert.state == FIRING else known.discard(alert.fingerprint)
            if not known:
                del self.targets[key]
        return self.targets.get(key, ()) if source else ()

    def inhibitor(self, alert: StoredAlert) -> str | None:
        """One alert that inhibits this one. What is on both sides is not inhibited by what is on both sides too."""
        if not all_match(self.rule.target, alert.matched):
            return None
        sources = self.sources.get(self.key(alert.matched))
        if not sources:
            return None
        both = all_match(self.rule.source, alert.matched)
        return next((fingerprint for fingerprint, two_sided in sources.items() if not (both and two_sided)), None)


def _put(sources: dict[Key, dict[str, bool]], key: Key, fingerprint: str, two_sided: bool, firing: bool) -> None:
    known = sources.setdefault(key, {})
    if firing:
        known[fingerprint] = two_sided
    else:
        known.pop(fingerprint, None)
    if not known:
        del sources[key]


class Inhibitions:
    """The stage."""

    def __init__(self, rules: Iterable[InhibitRule]) -> None:
        self._rules = [_Known(rule) for rule in rules]

    def start(self, firing: Iterable[StoredAlert]) -> None:
        self._rules = [_Known(known.rule) for known in self._rules]
        for alert in firing:
            for known in self._rules:
                known.take(alert)

    def changed(self, alert: StoredAlert) -> Iterable[str]:
        concerned: set[str] = set()
        for known in self._rules:
            concerned.update(known.take(alert))
        return concerned

    def mute(self, alert: StoredAlert, now: datetime) -> Mute | None:
        """The first rule that applies names one alert, as there."""
        for known in self._rules:
            fingerprint = known.inhibitor(alert)
            if fingerprint is not None:
                return Mute(inhibited_by=(fingerprint,))
        return None

    def edge(self, now: datetime) -> datetime | None:
        return None
