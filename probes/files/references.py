"""Names in files that must exist elsewhere. Works on the data as read, so that it can speak beside other mistakes."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from probes.files.mistakes import Loc, Mistake, did_you_mean, one_of
from probes.files.settings import needs_cycle
from probes.files.yamlfile import Document


@dataclass(frozen=True)
class Reference:
    """At each place that `where` matches (`"*"` is any key or index) stands the name of a `kind`, one of `known`."""

    where: Loc
    kind: str
    known: Collection[str]


def check_references(document: Document, table: list[Reference]) -> Iterator[Mistake]:
    for reference in table:
        for loc, value in places(document.data, reference.where):
            if isinstance(value, str) and value not in reference.known and loc not in document.unresolved:
                yield unknown(document, loc, reference.kind, value, reference.known)


def unknown(document: Document, loc: Loc, kind: str, value: str, known: Collection[str]) -> Mistake:
    hint = did_you_mean(value, known) or (f"known here: {one_of(known)}" if known else f"this file names no {kind}")
    return document.mistake(loc, f'there is no {kind} "{value}"', hint)


def places(data: Any, where: Loc, loc: Loc = ()) -> Iterator[tuple[Loc, Any]]:
    """Every place of the data that the pattern leads to, with its value; none where the shape is another."""
    if not where:
        yield loc, data
    elif where[0] == "*":
        for key, value in items(data):
            yield from places(value, where[1:], (*loc, key))
    else:
        for key, value in items(data):
            if key == where[0]:
                yield from places(value, where[1:], (*loc, key))


def items(data: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(data, dict):
        yield from data.items()
    elif isinstance(data, list):
        yield from enumerate(data)


def names(data: Any, section: str) -> list[str]:
    """The keys of a section; empty where it is missing or no mapping."""
    found = data.get(section) if isinstance(data, dict) else None
    return [str(key) for key in found] if isinstance(found, dict) else []


def service_references(document: Document) -> list[Mistake]:
    """Of `services`: each `needs` exists, and no service needs itself, directly or in a circle."""
    services = document.data.get("services")
    table = [Reference(("services", "*", "needs", "*"), "service", names(document.data, "services"))]
    mistakes = list(check_references(document, table))
    if circle := needs_cycle(services):
        problem = f"services need each other in a circle: {' -> '.join(circle)}"
        mistakes.append(document.mistake(("services", circle[0], "needs"), problem, "take one of the arrows out"))
    return mistakes
