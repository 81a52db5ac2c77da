"""Everything that `check` looks at: the whole workspace, every mistake at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drills.loading import SHIPPED_JOURNEYS, Surroundings, load_drills
from drills.notyet import settings_not_yet
from incident.reviews.checking import template_mistakes
from incident.settings import read_settings
from probes.files.lint import lint
from probes.files.measures import measures_known
from probes.files.mistakes import Mistake
from probes.files.references import Reference, check_references, names
from probes.files.workspace import SETTINGS, Workspace
from probes.files.yamlfile import Document, load
from runbooks.library import Library


@dataclass(frozen=True)
class Report:
    """What was found: every mistake in the order of the files, and how many of each kind of file were read."""

    mistakes: list[Mistake]
    counts: Mapping[str, int]

    @property
    def clean(self) -> bool:
        return all(mistake.level == "warning" for mistake in self.mistakes)


def check_workspace(folder: Path, variables: Mapping[str, str] | None = None) -> Report:
    workspace = Workspace(folder, variables)
    _, mistakes = read_settings(workspace)
    document = workspace.document
    if document is not None:
        mistakes += [*lint(document), *settings_not_yet(document)]
    journeys, wrong = workspace.journeys()
    mistakes += wrong
    if document is not None:
        known = [*_journey_names(workspace.files("probes", ".yaml", ".yml"))]
        mistakes += check_references(document, [Reference(("maintenance", "*", "journeys", "*"), "journey", known)])
        mistakes += measures_known(document, known, journeys)
    library = Library(folder)
    mistakes += library.mistakes
    mistakes += template_mistakes(folder)
    drills, wrong = load_drills(workspace, _surroundings(workspace, document, library))
    mistakes += wrong
    if document is not None and not workspace.files("probes", ".yaml", ".yml"):
        mistakes.append(Mistake(SETTINGS, 1, "", "no journey in probes/: nothing watches the shop", None, "warning"))
    own = sum(not runbook.shipped for runbook in library.runbooks.values())
    counts = {"journey": len(journeys), "runbook": own, "drill": len(drills)}
    return Report(_in_order(mistakes), counts)


def _in_order(mistakes: list[Mistake]) -> list[Mistake]:
    """By file (shopwatch.yaml first) and line, each once."""
    return sorted(dict.fromkeys(mistakes), key=lambda m: (m.file != SETTINGS, m.file, m.line))


def _surroundings(workspace: Workspace, document: Document | None, library: Library) -> Surroundings:
    data: Any = document.data if document is not None else {}
    return Surroundings(
        journeys={*_journey_names(workspace.files("probes", ".yaml", ".yml")), *_journey_names(_shipped())},
        runbooks=list(library.runbooks),
        services=names(data, "services") or None,
        people=names(data, "people") if document is not None else None,
        environments=names(data, "environments"),
    )


def _shipped() -> list[Path]:
    return sorted(SHIPPED_JOURNEYS.glob("*.yaml"))


def _journey_names(paths: list[Path]) -> Iterator[str]:
    """The names of journeys, of those with mistakes too."""
    for path in paths:
        for document in load(path, []):
            if isinstance(document.data, dict) and isinstance(document.data.get("journey"), str):
                yield document.data["journey"]
