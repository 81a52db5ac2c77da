"""Settings that this version reads, validates, and does not act on: `check` says so, lest anybody relies on them."""

from collections.abc import Iterator

from probes.files.mistakes import Loc, Mistake
from probes.files.references import places
from probes.files.yamlfile import Document

ONCE: dict[Loc, str] = {  # the place in shopwatch.yaml, and what happens instead
    ("schedules",): "nobody is found through them",
    ("escalations",): "pages go to the route's channels, once",
    ("environments",): "drills run against the practice shop only",
}
EACH: dict[Loc, str] = {
    ("people", "*", "page_by"): "pages go to the route's channels",
    ("channels", "*", "apprise"): "nothing is sent there",
}


def settings_not_yet(document: Document) -> Iterator[Mistake]:
    for pattern, instead in (ONCE | EACH).items():
        for loc, _ in places(document.data, pattern):
            yield not_yet(document, loc, instead)
    for loc, mode in places(document.data, ("slack", "mode")):
        if mode == "socket":
            yield not_yet(document, loc, "commands and buttons need mode: http")


def drill_not_yet(document: Document) -> Iterator[Mistake]:
    for key, instead in (("schedule", "drills are started by hand"), ("announce", "nothing is announced")):
        if key in document.data:
            yield not_yet(document, (key,), instead)
    if document.data.get("mode") in ("dry", "tabletop"):
        yield not_yet(document, ("mode",), "every drill is live")


def not_yet(document: Document, loc: Loc, instead: str) -> Mistake:
    return document.mistake(loc, f"is checked, but this version does not act on it yet: {instead}", warning=True)
