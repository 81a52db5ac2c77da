"""The user's folder: `shopwatch.yaml`, `probes/`, `runbooks/`, `drills/`, and `.shopwatch/`, the program's own."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from probes.files.mistakes import Mistake, WorkspaceInvalid, errors
from probes.files.secrets import Environment
from probes.files.settings import ShopSettings
from probes.files.yamlfile import Document, load

if TYPE_CHECKING:
    from probes.language.journey import Journey

SETTINGS = "shopwatch.yaml"
S = TypeVar("S", bound=ShopSettings)

__all__ = ["SETTINGS", "Workspace", "WorkspaceInvalid", "load_workspace"]


class Workspace:
    """Reads files when asked, and each time anew except `shopwatch.yaml`, which is read once.

    `env` brings in `${…}` and remembers which values were secrets.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        self.dir = folder
        self.env = Environment(dict(os.environ if variables is None else variables))
        self.document: Document | None = None  # shopwatch.yaml, with `${…}` replaced, once it was read

    @property
    def state(self) -> Path:
        """`.shopwatch/`, made on first use for its owner alone. Raises WorkspaceInvalid where it cannot be made."""
        path = self.dir / ".shopwatch"
        try:
            path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            problem = f"cannot be made: {error.strerror}"
            raise WorkspaceInvalid([Mistake(".shopwatch", 1, "", problem)]) from error
        return path

    def settings(self) -> ShopSettings:
        """The part of shopwatch.yaml that probes need. Raises WorkspaceInvalid with every error in that part."""
        mistakes: list[Mistake] = []
        settings = self.read_settings(ShopSettings, mistakes)
        if settings is None or errors(mistakes):
            raise WorkspaceInvalid(errors(mistakes))
        return settings

    def read_settings(self, model: type[S], mistakes: list[Mistake]) -> S | None:
        """shopwatch.yaml as this model; a model that ignores keys does not ask for the variables in them either."""
        from probes.files.references import service_references
        from probes.files.yamlfile import validate

        document = self._settings_document(mistakes)
        if document is None:
            return None
        if model.model_config.get("extra") == "ignore" and isinstance(document.data, dict):
            document = document.with_data({k: v for k, v in document.data.items() if k in model.model_fields})
        document = self.env.resolve_document(document, mistakes)
        settings = validate(model, document, mistakes)
        if isinstance(document.data, dict):
            self.document = document
            mistakes.extend(service_references(document))
        return settings

    def _settings_document(self, mistakes: list[Mistake]) -> Document | None:
        path = self.dir / SETTINGS
        if not path.exists():
            mistakes.append(self._missing())
            return None
        before = len(mistakes)
        documents = load(path, mistakes, self.dir)
        if not documents and len(mistakes) == before:
            mistakes.append(Mistake(SETTINGS, 1, "", "is empty", "shop and services are required"))
        for further in documents[1:]:
            mistakes.append(further.mistake((), "only one YAML document is allowed in this file"))
        return documents[0] if documents else None

    def _missing(self) -> Mistake:
        if not self.dir.is_dir():
            return Mistake(SETTINGS, 1, "", f"{self.dir} is not a folder", "say which with -w DIR")
        if (self.dir / "shopwatch.yml").exists():
            return Mistake(SETTINGS, 1, "", "is missing", "rename shopwatch.yml to shopwatch.yaml")
        return Mistake(SETTINGS, 1, "", "is missing", "`shopwatch init DIR` writes a workspace to start from")

    def journeys(self) -> "tuple[list[Journey], list[Mistake]]":
        """Every journey of `probes/` that could be read, by file name, and every mistake and warning."""
        from probes.files.loading import load_journeys

        return load_journeys(self)

    def files(self, folder: str, *endings: str, mistakes: list[Mistake] | None = None) -> list[Path]:
        """The files of a folder of the workspace by name, hidden ones apart; empty where there is no such folder."""
        try:
            found = sorted((self.dir / folder).iterdir())
        except FileNotFoundError:
            found = []
        except OSError as error:
            found = []
            if mistakes is not None:
                mistakes.append(Mistake(folder, 1, "", f"cannot be read: {error.strerror}"))
        return [path for path in found if path.suffix in endings and not path.name.startswith(".")]


def load_workspace(folder: Path, variables: Mapping[str, str] | None = None) -> Workspace:
    """A workspace whose settings (the probes' part) and journeys are without error. Raises WorkspaceInvalid."""
    workspace = Workspace(folder, variables)
    mistakes: list[Mistake] = []
    workspace.read_settings(ShopSettings, mistakes)
    mistakes.extend(workspace.journeys()[1])
    if errors(mistakes):
        raise WorkspaceInvalid(errors(mistakes))
    return workspace
