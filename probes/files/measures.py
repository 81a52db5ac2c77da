"""What shopwatch.yaml wants journeys to measure, held against the journeys that there are."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from probes.duration import format_duration
from probes.files.mistakes import Mistake, did_you_mean, one_of
from probes.files.references import Reference, check_references, places
from probes.files.yamlfile import Document
from probes.language.journey import Journey

SELDOM = 1800.0  # seconds: fewer than two runs an hour do not say what is usual in one
_WHERE = ("services", "*", "orders_per_minute")


def measures_known(document: Document, names: Collection[str], journeys: Iterable[Journey]) -> Iterator[Mistake]:
    """`document`: shopwatch.yaml. `names`: of all journeys; `journeys`: of them, those that could be read."""
    yield from check_references(document, [Reference((*_WHERE, "journey"), "journey", names)])
    known = {journey.name: journey for journey in journeys}
    for loc, said in places(document.data, _WHERE):
        journey = known.get(str(said.get("journey"))) if isinstance(said, dict) else None
        if journey is None:
            continue
        if journey.every > SELDOM:
            problem = f"runs every {format_duration(journey.every)}: too seldom to say what is usual in an hour"
            yield document.mistake((*loc, "journey"), problem, "let it run every 5m", warning=True)
        if isinstance(said.get("value"), str):
            yield from _value(document, (*loc, "value"), said["value"], journey)


def _value(document: Document, loc: Any, name: str, journey: Journey) -> Iterator[Mistake]:
    from probes.running.evidence import hides  # brings httpx along

    saves = {saved: save for step in journey.steps for saved, save in step.save.items()}
    if name not in saves:
        known = f"it saves {one_of(sorted(saves))}" if saves else f"say save: {{{name}: …}} at the step that reads it"
        hint = did_you_mean(name, saves) or known
        yield document.mistake(loc, f'no step of the journey "{journey.name}" saves "{name}"', hint)
    elif hides(name, saves[name]):
        problem = f'"{name}" is never told: it is saved from what sounds like a secret'
        yield document.mistake(loc, problem, "save it under another name")
