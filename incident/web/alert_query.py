"""What a GET of alerts asks for, by Alertmanager's parameters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams

from incident.core.alerts import StoredAlert
from incident.web.answers import flag
from incident.web.matcher_text import read_matchers
from incident.web.receivers import Receivers
from probes.labels import LabelMatcher, all_match
from probes.regex import compile_strangers

Chosen = tuple[StoredAlert, tuple[str, ...]]  # with its receivers


@dataclass(frozen=True)
class AlertQuery:
    """`named`: of which receivers. `shown`: active, silenced and inhibited ones or not. `nothing`: none of ours."""

    matchers: Sequence[LabelMatcher]
    named: Any | None  # a compiled expression
    shown: Mapping[str, bool]
    nothing: bool

    @classmethod
    def of(cls, query: QueryParams) -> "AlertQuery":
        """Raises BadMatcher, BadRegex."""
        return cls(
            read_matchers(query.getlist("filter")),
            compile_strangers(query["receiver"]) if query.get("receiver") else None,
            {name: flag(query.get(name, "")) for name in ("active", "silenced", "inhibited")},
            not passes_ours(query),
        )

    @property
    def everything(self) -> bool:
        """Whether there is no alert that it does not ask for."""
        return not self.matchers and self.named is None and all(self.shown.values()) and not self.nothing

    def among(self, alerts: Iterable[StoredAlert], receivers: Receivers, *, only_named: bool = False) -> list[Chosen]:
        """Those asked for, in their order, with their receivers; `only_named`: with those that are asked for."""
        chosen = []
        for alert in alerts:
            if not self._shows(alert) or (self.matchers and not all_match(self.matchers, alert.matched)):
                continue
            channels = receivers.of(alert).channels
            asked = channels if self.named is None else tuple(name for name in channels if self.named.fullmatch(name))
            if asked:
                chosen.append((alert, asked if only_named else channels))
        return chosen

    def _shows(self, alert: StoredAlert) -> bool:
        """An alert held back otherwise is none of the three."""
        if self.nothing:
            return False
        if alert.muted is None:
            return self.shown["active"]
        silenced, inhibited = alert.muted["silencedBy"], alert.muted["inhibitedBy"]
        return not ((silenced and not self.shown["silenced"]) or (inhibited and not self.shown["inhibited"]))


def passes_ours(query: QueryParams) -> bool:
    """Whether `receiver_matchers` lets our receivers pass, which have no labels. Raises BadMatcher."""
    return all_match(read_matchers(query.getlist("receiver_matchers")), {})
