"""From the files of `drills/` to drills, checked against journeys, runbooks, services and people."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from drills.model import PRACTICE, Drill
from drills.notyet import drill_not_yet
from probes.files.lint import lint
from probes.files.mistakes import Mistake
from probes.files.references import Reference, check_references
from probes.files.secrets import Environment
from probes.files.workspace import Workspace
from probes.files.yamlfile import Document, load, validate

SHIPPED_JOURNEYS = Path(__import__("probes").__file__ or "").parent / "journeys"


@dataclass(frozen=True)
class Surroundings:
    """The names that a drill may use; None where they could not be read, so that nothing is said about them."""

    journeys: Collection[str] | None = None
    runbooks: Collection[str] | None = None
    services: Collection[str] | None = None
    people: Collection[str] | None = None
    environments: Collection[str] = field(default_factory=tuple)


def load_drills(workspace: Workspace, around: Surroundings) -> tuple[list[Drill], list[Mistake]]:
    """Every drill of the workspace that could be read, and every mistake and warning."""
    drills: list[Drill] = []
    mistakes: list[Mistake] = []
    first: dict[str, str] = {}
    for path in workspace.files("drills", ".yaml", ".yml", mistakes=mistakes):
        for document in load(path, mistakes, workspace.dir):
            drill = read_drill(document, workspace.env, mistakes)
            if drill is not None:
                drills.append(drill)
            if isinstance(document.data, dict):
                mistakes.extend(_twice(document, first))
                mistakes.extend(_references(document, around))
                mistakes.extend(drill_not_yet(document))
    return drills, mistakes


def load_file(path: Path, environment: Environment, mistakes: list[Mistake], root: Path | None = None) -> list[Drill]:
    """The drills of one file, without a workspace around it."""
    found = [read_drill(document, environment, mistakes) for document in load(path, mistakes, root)]
    return [drill for drill in found if drill is not None]


def read_drill(document: Document, environment: Environment, mistakes: list[Mistake]) -> Drill | None:
    mistakes.extend(lint(document))
    return validate(Drill, environment.resolve_document(document, mistakes), mistakes)


def _twice(document: Document, first: dict[str, str]) -> Iterator[Mistake]:
    name = document.data.get("drill")
    if isinstance(name, str):
        if name in first:
            yield document.mistake(("drill",), f'drill "{name}" is there twice', f"first in {first[name]}")
        first.setdefault(name, f"{document.name}:{document.line_of(('drill',))}")


def _references(document: Document, around: Surroundings) -> Iterator[Mistake]:
    people = None if around.people is None else ["auto", *around.people]
    known = {
        ("target",): ("target", [PRACTICE, *around.environments]),
        ("hypothesis", "*"): ("journey", around.journeys),
        ("faults", "*", "proves", "journey"): ("journey", around.journeys),
        ("abort", "*", "journey"): ("journey", around.journeys),
        ("expect", "alert", "service"): ("service", around.services),
        ("expect", "ack", "by"): ("person", people),
        ("expect", "runbook"): ("runbook", around.runbooks),
    }
    table = [Reference(where, kind, names) for where, (kind, names) in known.items() if names is not None]
    yield from check_references(document, table)
