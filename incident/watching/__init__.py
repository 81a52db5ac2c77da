"""What Shopwatch watches itself: places that fall silent, and whatever else only the incident side can see.

One file a watcher, one line each in `WATCHERS`. A watcher says what is wrong at this moment, all of it each time; the
runner takes that in as alerts of the source `shopwatch`, and ends those that are no longer said.
"""

from incident.watching import burn, dead_men, ending_silences
from incident.watching.locations import SILENT, silent_locations
from incident.watching.runner import SOURCE, Watcher, run, watch_once

WATCHERS: tuple[Watcher, ...] = (
    Watcher("locations", frozenset({SILENT}), silent_locations),
    Watcher("dead men", frozenset({dead_men.ALERTNAME}), dead_men.look),
    Watcher("silences", frozenset({ending_silences.ALERTNAME}), ending_silences.look, ending_silences.EVERY),
    Watcher("burn rate", frozenset({burn.ALERTNAME}), burn.look, burn.EVERY),
)

__all__ = ["SOURCE", "WATCHERS", "Watcher", "run", "watch_once"]
