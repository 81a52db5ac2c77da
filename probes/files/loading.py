"""From the files of `probes/` to journeys: one by one, then against each other and against shopwatch.yaml."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from probes.files.lint import lint
from probes.files.mistakes import Mistake
from probes.files.references import Reference, check_references, names
from probes.files.secrets import Environment
from probes.files.workspace import Workspace
from probes.files.yamlfile import Document, load, validate
from probes.language.journey import Journey
from probes.language.naming import wrong_names
from probes.language.reach import out_of_reach
from probes.language.tidiness import untidy


def load_journeys(workspace: Workspace) -> tuple[list[Journey], list[Mistake]]:
    """Every journey of the workspace that could be read, and every mistake and warning."""
    journeys: list[Journey] = []
    mistakes: list[Mistake] = []
    services = _services(workspace)
    first: dict[str, str] = {}
    for path in workspace.files("probes", ".yaml", ".yml", mistakes=mistakes):
        for document in load(path, mistakes, workspace.dir):
            journey = read_journey(document, workspace.env, mistakes)
            if journey is not None:
                journeys.append(journey)
            if isinstance(document.data, dict):
                mistakes.extend(_twice(document, first))
                mistakes.extend(_services_known(document, services))
    return journeys, mistakes


def load_file(path: Path, environment: Environment, mistakes: list[Mistake], root: Path | None = None) -> list[Journey]:
    """The journeys of one file, without a workspace around it."""
    found = [read_journey(document, environment, mistakes) for document in load(path, mistakes, root)]
    return [journey for journey in found if journey is not None]


def read_journey(document: Document, environment: Environment, mistakes: list[Mistake]) -> Journey | None:
    mistakes.extend(lint(document))
    journey = validate(Journey, environment.resolve_document(document, mistakes), mistakes)
    if journey is not None:
        journey._file, journey._line = document.path, document.line
        # it can run all the same, and fails with `config` where it needs a name or a host that is not there
        for wrong in (*wrong_names(journey), *untidy(journey), *out_of_reach(journey)):
            mistakes.append(document.mistake(wrong.at, str(wrong), wrong.hint, warning=True))
    return journey


def _twice(document: Document, first: dict[str, str]) -> Iterator[Mistake]:
    name = document.data.get("journey")
    if isinstance(name, str):
        if name in first:
            yield document.mistake(("journey",), f'journey "{name}" is there twice', f"first in {first[name]}")
        first.setdefault(name, f"{document.name}:{document.line_of(('journey',))}")


def _services(workspace: Workspace) -> list[str] | None:
    """The services of shopwatch.yaml; None where it cannot be read, which is said elsewhere."""
    document: Document | None = workspace.document or workspace._settings_document([])
    if document is None or not isinstance(document.data, dict) or not isinstance(document.data.get("services"), dict):
        return None
    return names(document.data, "services")


def _services_known(document: Document, services: list[str] | None) -> Iterator[Mistake]:
    if services is None:
        return
    patterns: list[Any] = [("service",), ("steps", "*", "service"), ("cleanup", "*", "service")]
    yield from check_references(document, [Reference(where, "service", services) for where in patterns])
