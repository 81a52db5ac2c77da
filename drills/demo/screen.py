"""What the demo shows: a live screen in a terminal, plain lines when piped."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import click
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from drills.watch import Snapshot
from probes.terminal import COLOURS, clean, interactive, local_time

Json = Mapping[str, Any]
ROWS = 18  # events of the timeline at most


class Screen(Protocol):
    """`say` tells what the demo itself does; `show` takes each new look at Shopwatch."""

    def say(self, text: str) -> None: ...
    def show(self, snapshot: Snapshot) -> None: ...
    def close(self) -> None: ...


def screen() -> Screen:
    return LiveScreen() if interactive() else PlainScreen()


class PlainScreen:
    """One line for each thing that changed; with `known`, only for what changes after the first look."""

    def __init__(self, *, known: bool = False) -> None:
        self._mute = known
        self._outcomes: dict[str, str] = {}
        self._alerts: set[str] = set()
        self._events: set[tuple[int, int]] = set()

    def say(self, text: str) -> None:
        click.echo(f"demo      {clean(text)}")

    def show(self, snapshot: Snapshot) -> None:
        for item in snapshot.journeys:
            if item.get("outcome") and self._outcomes.get(item["journey"]) != item["outcome"]:
                self._outcomes[item["journey"]] = item["outcome"]
                self._line(item["started_at"], "journey", _journey_words(item))
        firing = {item["fingerprint"] for item in snapshot.alerts}
        for item in snapshot.alerts:
            if item["fingerprint"] not in self._alerts:
                self._line(item["startsAt"], "alert", _alert_words(item))
        self._alerts = firing
        for number, events in sorted(snapshot.timelines.items()):
            for event in events:
                if (number, event["seq"]) not in self._events:
                    self._events.add((number, event["seq"]))
                    self._line(event["at"], f"#{number}", _event_words(event))
        self._mute = False

    def _line(self, at: str, what: str, words: str) -> None:
        if not self._mute:
            click.echo(f"{local_time(at, '%H:%M:%S')}  {what:<8} {clean(words)}")

    def close(self) -> None:
        pass


class LiveScreen:
    """Journeys, alerts and the newest incident, redrawn in place."""

    def __init__(self) -> None:
        self._now = ""
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._live.start()

    def say(self, text: str) -> None:
        self._now = text

    def show(self, snapshot: Snapshot) -> None:
        rows = events_that_fit(self._console.height, len(snapshot.journeys), len(snapshot.alerts))
        parts = [_journeys(snapshot.journeys), _alerts(snapshot.alerts), *_incidents(snapshot, rows)]
        self._live.update(Group(Text(clean(self._now), style="bold"), *parts), refresh=True)

    def close(self) -> None:
        self._live.stop()


def events_that_fit(height: int, journeys: int, alerts: int) -> int:
    """How many of the newest events of the timeline show on a terminal of this height, below all the rest."""
    above = 1 + (journeys + 3) + (max(alerts, 1) + 2)
    return min(ROWS, max(3, height - above - 3))  # the incident's frame, and the cursor's line


def _coloured(word: str) -> Text:
    return Text(clean(word), style=COLOURS.get(word, ""))


def _grid(*headers: str) -> Table:
    table = Table(box=None, expand=True, pad_edge=False, header_style="dim")
    for header in headers:
        table.add_column(header, no_wrap=True, overflow="ellipsis")
    table.columns[-1].ratio = 1
    return table


def _journeys(items: Iterable[Json]) -> Panel:
    table = _grid("journey", "", "took", "at", "what")
    for item in items:
        outcome = item.get("outcome") or ""
        took = f"{item['duration_s']:.2f} s" if outcome else ""
        at = local_time(item.get("started_at"), "%H:%M:%S")
        table.add_row(clean(item["journey"]), _coloured(outcome), took, at, Text(clean(_failure(item)), style="dim"))
    return Panel(table, title="Journeys", title_align="left")


def _alerts(items: Iterable[Json]) -> Panel:
    lines = [Text(clean(_alert_words(item)), style="red", overflow="ellipsis", no_wrap=True) for item in items]
    return Panel(Group(*lines) if lines else Text("nothing fires", style="dim"), title="Alerts", title_align="left")


def _incidents(snapshot: Snapshot, rows: int) -> list[Panel]:
    if not snapshot.incidents:
        return []
    newest = snapshot.incidents[0]
    table = Table(box=None, expand=True, show_header=False, pad_edge=False)
    for column in ("at", "actor", "kind"):
        table.add_column(column, no_wrap=True, style="dim" if column == "at" else "")
    table.add_column("text", ratio=1, no_wrap=True, overflow="ellipsis")
    for event in snapshot.timelines.get(newest["number"], [])[-rows:]:
        at = local_time(event["at"], "%H:%M:%S")
        table.add_row(at, clean(event["actor"]), clean(event["kind"]), clean(event["text"]))
    title = Text.assemble(
        f"Incident #{newest['number']} ", _coloured(newest["severity"]), " ", _coloured(newest["status"])
    )
    return [Panel(table, title=title, title_align="left", subtitle=clean(newest["title"]), subtitle_align="left")]


def _failure(item: Json) -> str:
    step = next((step for step in item.get("steps", []) if step["outcome"] in ("down", "degraded")), None)
    if step is None:
        return ""
    seen = " ".join(str(step["seen"]).split())
    return f"{step['name']}: {step['reason']}, expected {step['expected']}, saw {seen[:80]}"


def _journey_words(item: Json) -> str:
    words = f"{item['journey']} {item['outcome']} ({item['duration_s']:.2f} s)"
    return words + (f": {_failure(item)}" if _failure(item) else "")


def _alert_words(item: Json) -> str:
    labels, notes = item["labels"], item["annotations"]
    name = labels.get("alertname", "")
    return f"{labels.get('severity', '')} {name} {labels.get('service', '')}: {notes.get('summary', '')}".strip()


def _event_words(event: Json) -> str:
    return f"{event['actor']}: {event['kind']}" + (f": {event['text']}" if event["text"] else "")
