"""Which channels hear of an incident: the first route that matches, nested routes refining it. Pure.

What asks for no page goes only where a route says so, by a matcher of its label: a message to a telephone at night is a
page, whatever it is called.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from incident.core.paging import LABEL, wants_none
from probes.labels import LabelMatcher, all_match

ALL = "..."  # in `group_by`: each alert by itself
CONSOLE = "console"  # the channel of a workspace that configures none


@dataclass(frozen=True)
class Route:
    """A node of the routing tree. Empty `channels` and `group_by` are those of the node above."""

    matchers: tuple[LabelMatcher, ...] = ()
    channels: tuple[str, ...] = ()
    routes: tuple["Route", ...] = ()
    group_by: tuple[str, ...] = ()


def channels_for(routes: Iterable[Route], labels: Mapping[str, str]) -> tuple[str, ...]:
    """Never empty: what no route claims goes to the console, so that nothing is lost in silence."""
    return _first(routes, labels, (), meant=not wants_none(labels)) or (CONSOLE,)


def names_it(matchers: Iterable[LabelMatcher]) -> bool:
    """Whether a route with these is meant for what asks for no page, too."""
    return any(matcher.name == LABEL for matcher in matchers)


def group_for(routes: Iterable[Route], labels: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The group of an alert with these labels; None where incidents are about services, and nothing else.

    `labels` tell it from others; `across`: whatever the services are, it is one incident.
    """
    names = _group_by(routes, labels, ())
    if ALL in names:
        return {"labels": dict(sorted(labels.items())), "across": True}
    kept = {name: labels.get(name, "") for name in sorted(names) if name != "service"}
    return {"labels": kept, "across": "service" not in names} if kept else None


def _group_by(routes: Iterable[Route], labels: Mapping[str, str], above: tuple[str, ...]) -> tuple[str, ...]:
    for route in routes:
        if all_match(route.matchers, labels):
            return _group_by(route.routes, labels, route.group_by or above)
    return above


def _first(
    routes: Iterable[Route], labels: Mapping[str, str], above: tuple[str, ...], *, meant: bool
) -> tuple[str, ...] | None:
    for route in routes:
        if all_match(route.matchers, labels):
            channels, here = route.channels or above, meant or names_it(route.matchers)
            found = _first(route.routes, labels, channels, meant=here)
            if found or here:
                return found or channels
    return None
