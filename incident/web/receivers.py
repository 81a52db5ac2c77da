"""Routes and channels of shopwatch.yaml in Alertmanager's words: who receives an alert, and its configuration file."""

import json
from collections.abc import Iterable
from typing import Any

from incident.core.alerts import StoredAlert
from incident.core.routing import CONSOLE, Route, channels_for
from incident.settings import Route as RouteSettings
from incident.settings import Settings


class Receivers:
    """`names`: every channel that a route names, in their order."""

    def __init__(self, settings: Settings) -> None:
        self._routes = [_route(item) for item in settings.routes]
        named = dict.fromkeys(name for item in settings.routes for name in _named(item))
        self.names = list(named) or [CONSOLE]

    def of(self, alert: StoredAlert) -> tuple[str, ...]:
        labels = {**alert.labels, "service": alert.service, "severity": alert.severity}
        return channels_for(self._routes, labels)


def alertmanager_yaml(settings: Settings) -> str:
    """A valid alertmanager.yml (JSON is YAML) with the routing tree; a receiver's own settings stay out of it."""
    names = Receivers(settings).names
    used = list(dict.fromkeys([CONSOLE, *names]))
    tree = {"receiver": CONSOLE, "routes": [node for item in settings.routes for node in _nodes(item, ())]}
    return json.dumps({"route": tree, "receivers": [{"name": name} for name in used]}, indent=2, ensure_ascii=False)


def _route(item: RouteSettings) -> Route:
    return Route(tuple(item.match), tuple(item.channels), tuple(_route(child) for child in item.routes))


def _named(item: RouteSettings) -> Iterable[str]:
    yield from item.channels
    for child in item.routes:
        yield from _named(child)


def _nodes(item: RouteSettings, above: tuple[str, ...]) -> list[dict[str, Any]]:
    """One node a channel, all but the last going on, as Alertmanager sends to several receivers."""
    channels = item.channels or above or (CONSOLE,)
    matchers = [str(matcher) for matcher in item.match]
    nodes: list[dict[str, Any]] = [{"receiver": name, "matchers": matchers, "continue": True} for name in channels]
    nodes[-1]["continue"] = False
    if item.routes:
        nodes[-1]["routes"] = [node for child in item.routes for node in _nodes(child, channels)]
    return nodes
