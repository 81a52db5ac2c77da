"""Routes and channels of shopwatch.yaml in Alertmanager's words: who receives an alert, and its configuration file."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incident.core.alerts import UNASSIGNED, StoredAlert, severity_words
from incident.core.model import SEVERITIES
from incident.core.routing import ALL, CONSOLE
from incident.muting_settings import Inhibit
from incident.settings import Route as RouteSettings
from incident.settings import Settings
from probes.labels import LabelMatcher, all_match

GROUP_BY = ("service",)  # an incident is about one
_NEVER = r"[^\x00-\x{10FFFF}]"
_KNOWN = 10_000  # sorts of alerts whose receivers are remembered


@dataclass(frozen=True)
class Destination:
    """Who receives an alert, and by which route: the positions of its node and those above; () where none claims it."""

    channels: tuple[str, ...]
    route: tuple[int, ...] = ()
    group_by: tuple[str, ...] = GROUP_BY


class Receivers:
    """`names`: every channel that a route names, in their order."""

    def __init__(self, settings: Settings) -> None:
        self._routes = settings.routes
        named = dict.fromkeys(name for item in settings.routes for name in _named(item))
        self.names = list(named) or [CONSOLE]
        self._labels = sorted({name for route in self._routes for name in _looked_at(route)})
        self._known: dict[tuple[str, ...], Destination] = {}

    def of(self, alert: StoredAlert) -> Destination:
        """Worked out once for all alerts that are alike in what routes look at."""
        labels = {**alert.labels, "service": alert.service, "severity": alert.severity}
        key = tuple(labels.get(name, "") for name in self._labels)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            found = self._known[key] = _first(self._routes, labels, Destination(())) or Destination((CONSOLE,))
        return found


def _first(routes: Sequence[RouteSettings], labels: Mapping[str, str], above: Destination) -> Destination | None:
    """As `core.routing.channels_for`, with the way that led there."""
    for index, route in enumerate(routes):
        if all_match(route.match, labels):
            group_by = route.group_by or above.group_by
            here = Destination(route.channels or above.channels or (CONSOLE,), (*above.route, index), group_by)
            return _first(route.routes, labels, here) or here
    return None


def grouped(labels: Mapping[str, str], group_by: Sequence[str]) -> dict[str, str]:
    """The labels by which an alert's group is told from others."""
    names = sorted(labels) if ALL in group_by else group_by
    return {name: labels[name] for name in names if name in labels}


def alertmanager_yaml(settings: Settings) -> str:
    """A valid alertmanager.yml (JSON is YAML) with the routing tree; a receiver's own settings stay out of it.

    It routes labels as they come from outside the way that we do, who read `critical` as SEV1 and so on.
    """
    names = Receivers(settings).names
    used = list(dict.fromkeys([CONSOLE, *names]))
    nodes = [node for item in settings.routes for node in _nodes(item, ())]
    document = {
        "route": {"receiver": CONSOLE, "group_by": list(GROUP_BY), "routes": nodes},
        "inhibit_rules": [_inhibit(rule) for rule in settings.inhibit],
        "receivers": [{"name": name} for name in used],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _looked_at(route: RouteSettings) -> Iterable[str]:
    yield from (matcher.name for matcher in route.match)
    for child in route.routes:
        yield from _looked_at(child)


def _named(item: RouteSettings) -> Iterable[str]:
    yield from item.channels
    for child in item.routes:
        yield from _named(child)


def _inhibit(rule: Inhibit) -> dict[str, Any]:
    return {
        "source_matchers": [str(matcher) for matcher in rule.source],
        "target_matchers": [str(matcher) for matcher in rule.target],
        "equal": list(rule.equal),
    }


def _nodes(item: RouteSettings, above: tuple[str, ...]) -> list[dict[str, Any]]:
    """One node a channel, all but the last going on, as Alertmanager sends to several receivers.

    Each has the nested routes: where one of those matches, it takes the place of them all.
    """
    channels = item.channels or above or (CONSOLE,)
    matchers = [str(_as_from_outside(matcher)) for matcher in item.match]
    children = [node for child in item.routes for node in _nodes(child, channels)]
    by = {"group_by": list(dict.fromkeys(item.group_by))} if item.group_by else {}
    nodes: list[dict[str, Any]] = [
        {"receiver": name, **by, "matchers": matchers, "continue": len(channels) > 1} for name in channels
    ]
    nodes[-1]["continue"] = False
    return nodes if not children else _with_children(nodes, children)


def _with_children(nodes: list[dict[str, Any]], children: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A nested route that matches must be alone: the first node asks for it, and only what is left goes on."""
    if len(nodes) == 1:
        return [{**nodes[0], "routes": children}]
    matchers = nodes[0]["matchers"]
    rest = [{"receiver": node["receiver"], "continue": node["continue"]} for node in nodes]
    return [{**nodes[0], "matchers": matchers, "continue": False, "routes": [*children, *rest]}]


def _as_from_outside(matcher: LabelMatcher) -> LabelMatcher:
    """A matcher of labels as they come in that says the same as `matcher` says of the labels that routes see."""
    if matcher.name == "severity":
        accepted = [word for word in SEVERITIES if matcher.matches({"severity": word})]
        return _severity(accepted)
    plain = matcher.is_equal and not matcher.is_regex
    if matcher.name == "service" and plain and matcher.value == UNASSIGNED:
        return LabelMatcher("service", f"|{UNASSIGNED}", is_regex=True)
    return matcher


def _severity(accepted: list[str]) -> LabelMatcher:
    """What names no severity that we know counts as SEV3, so that one is what the others are not."""
    if "SEV3" in accepted:
        others = [word for level in SEVERITIES if level not in accepted for word in severity_words(level)]
        return LabelMatcher("severity", "(?i)" + "|".join(others) if others else _NEVER, True, False)
    words = [word for level in accepted for word in severity_words(level)]
    return LabelMatcher("severity", "(?i)" + "|".join(words) if words else _NEVER, True, True)
