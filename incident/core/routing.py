"""Which channels hear of an incident: the first route that matches, nested routes refining it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from probes.labels import LabelMatcher, all_match

CONSOLE = "console"  # the channel of a workspace that configures none


@dataclass(frozen=True)
class Route:
    """A node of the routing tree. Empty `channels` are those of the node above."""

    matchers: tuple[LabelMatcher, ...] = ()
    channels: tuple[str, ...] = ()
    routes: tuple["Route", ...] = ()


def channels_for(routes: Iterable[Route], labels: Mapping[str, str]) -> tuple[str, ...]:
    """Never empty: what no route claims goes to the console, so that nothing is lost in silence."""
    return _first(routes, labels, ()) or (CONSOLE,)


def _first(routes: Iterable[Route], labels: Mapping[str, str], above: tuple[str, ...]) -> tuple[str, ...] | None:
    for route in routes:
        if all_match(route.matchers, labels):
            channels = route.channels or above
            return _first(route.routes, labels, channels) or channels
    return None
