"""Routes and channels of shopwatch.yaml in Alertmanager's words: who receives an alert, and its configuration file."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from incident.core.alerts import UNASSIGNED, StoredAlert, severity_words
from incident.core.model import SEVERITIES
from incident.core.paging import LABEL, wants_none
from incident.core.routing import ALL, CONSOLE, names_it
from incident.muting_settings import Inhibit
from incident.settings import Route as RouteSettings
from incident.settings import Settings
from probes.labels import LabelMatcher, all_match

GROUP_BY = ("service",)  # an incident is about one
_NEVER = r"[^\x00-\x{10FFFF}]"
_NAMELESS = LabelMatcher("service", "")
_NAMED = LabelMatcher("service", "", is_equal=False)
_KNOWN = 10_000  # sorts of alerts whose receivers are remembered


@dataclass(frozen=True)
class Destination:
    """Who receives an alert, and by which route: the positions of its node and those above; () where none claims it."""

    channels: tuple[str, ...]
    route: tuple[int, ...] = ()
    group_by: tuple[str, ...] = GROUP_BY


class Receivers:
    """`names`: the console, to which goes what no route claims, and every channel that a route names, as they come."""

    def __init__(self, settings: Settings) -> None:
        self._routes = settings.routes
        self.names = list(dict.fromkeys([CONSOLE, *(name for item in settings.routes for name in _named(item))]))
        self._labels = sorted({LABEL, *(name for route in self._routes for name in _looked_at(route))})
        self._known: dict[tuple[str, ...], Destination] = {}

    def of(self, alert: StoredAlert) -> Destination:
        """Worked out once for all alerts that are alike in what routes look at."""
        key = tuple([self._looked_at(alert, name) for name in self._labels])
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            labels = {**alert.labels, "service": alert.service, "severity": alert.severity}
            found = _first(self._routes, labels, Destination(()), meant=not wants_none(labels))
            found = self._known[key] = found or Destination((CONSOLE,))
        return found

    def _looked_at(self, alert: StoredAlert, name: str) -> str:
        if name in ("service", "severity"):
            return alert.service if name == "service" else alert.severity
        return alert.labels.get(name, "")


def _first(
    routes: Sequence[RouteSettings], labels: Mapping[str, str], above: Destination, *, meant: bool
) -> Destination | None:
    """As `core.routing.channels_for`, with the way that led there."""
    for index, route in enumerate(routes):
        if all_match(route.match, labels):
            channels = tuple(dict.fromkeys(route.channels)) or above.channels or (CONSOLE,)
            here = Destination(channels, (*above.route, index), route.group_by or above.group_by)
            named = meant or names_it(route.match)
            found = _first(route.routes, labels, here, meant=named)
            if found or named:
                return found or here
    return None


def grouped(labels: Mapping[str, str], group_by: Sequence[str]) -> dict[str, str]:
    """The labels by which an alert's group is told from others."""
    names = sorted(labels) if ALL in group_by else group_by
    return {name: labels[name] for name in names if name in labels}


def alertmanager_yaml(settings: Settings) -> str:
    """A valid alertmanager.yml (JSON is YAML) with the routing tree; a receiver's own settings stay out of it.

    It routes labels as they come from outside the way that we do, who read `critical` as SEV1 and so on.
    """
    nodes = [node for item in settings.routes for node in _nodes(item, ())]
    document = {
        "route": {"receiver": CONSOLE, "group_by": list(GROUP_BY), "routes": nodes},
        "inhibit_rules": [_inhibit(rule) for rule in settings.inhibit],
        "receivers": [{"name": name} for name in Receivers(settings).names],
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
        "source_matchers": [_text(matcher) for matcher in rule.source],
        "target_matchers": [_text(matcher) for matcher in rule.target],
        "equal": list(rule.equal),
    }


def _nodes(item: RouteSettings, above: tuple[str, ...]) -> list[dict[str, Any]]:
    """One node a channel, all but the last going on, as Alertmanager sends to several receivers.

    Each has the nested routes: where one of those matches, it takes the place of them all. And all of them once for
    each way in which the matchers can be said: no two of those hold for the same alert.
    """
    channels = tuple(dict.fromkeys(item.channels)) or above or (CONSOLE,)
    children = [node for child in item.routes for node in _nodes(child, channels)]
    nodes: list[dict[str, Any]] = []
    for said in product(*(_as_from_outside(matcher) for matcher in item.match)):
        matchers = [_text(matcher) for several in said for matcher in several]
        nodes += _for_each(channels, {**_grouping(item), "matchers": matchers}, children)
    return nodes


def _grouping(item: RouteSettings) -> dict[str, Any]:
    """With `...` there is nothing else to group by, and Alertmanager allows nothing else."""
    names = [ALL] if ALL in item.group_by else list(dict.fromkeys(item.group_by))
    return {"group_by": names} if names else {}


def _for_each(channels: Sequence[str], node: dict[str, Any], children: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A nested route that matches must be alone: the first node asks for it, and only what is left goes on."""
    last = len(channels) - 1
    each = [{"receiver": name, "continue": index < last} for index, name in enumerate(channels)]
    if not children:
        return [{"receiver": one["receiver"], **node, "continue": one["continue"]} for one in each]
    rest = each if last else []
    return [{"receiver": channels[0], **node, "continue": False, "routes": [*children, *rest]}]


def _text(matcher: LabelMatcher) -> str:
    """As every version of Alertmanager reads it: in its quotes only these three are escaped."""
    op = ("=~" if matcher.is_equal else "!~") if matcher.is_regex else ("=" if matcher.is_equal else "!=")
    value = matcher.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{matcher.name}{op}"{value}"'


def _as_from_outside(matcher: LabelMatcher) -> list[tuple[LabelMatcher, ...]]:
    """Matchers of labels as they come in that together say what `matcher` says of those that routes see.

    Where it takes several sets, one of them holds, and only one.
    """
    if matcher.name == "severity":
        return [(_severity([word for word in SEVERITIES if matcher.matches({"severity": word})]),)]
    if matcher.name == "service":
        return _service(matcher)
    return [(matcher,)]


def _service(matcher: LabelMatcher) -> list[tuple[LabelMatcher, ...]]:
    """An alert that names no service counts as one of UNASSIGNED."""
    wanted = matcher.matches({"service": UNASSIGNED})
    if wanted == matcher.matches({}):
        return [(matcher,)]
    if not wanted:
        return [(matcher, _NAMED)]
    if matcher.is_equal:
        return [(LabelMatcher("service", f"{matcher.value}|", is_regex=True),)]
    return [(matcher,), (_NAMELESS,)]


def _severity(accepted: list[str]) -> LabelMatcher:
    """What names no severity that we know counts as SEV3, so that one is what the others are not."""
    if "SEV3" in accepted:
        others = [word for level in SEVERITIES if level not in accepted for word in severity_words(level)]
        return LabelMatcher("severity", "(?i)" + "|".join(others) if others else _NEVER, True, False)
    words = [word for level in accepted for word in severity_words(level)]
    return LabelMatcher("severity", "(?i)" + "|".join(words) if words else _NEVER, True, True)
