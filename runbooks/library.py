"""All runbooks of a workspace: its own, and those that Shopwatch ships. One of its own replaces a shipped namesake."""

from collections.abc import Mapping
from pathlib import Path

from probes.files.mistakes import Mistake, did_you_mean
from probes.labels import all_match
from runbooks.document import Runbook, read
from runbooks.errors import NoSuchRunbook

SHIPPED = Path(__file__).parent / "library"


class Library:
    """The runbooks of one workspace, read once. `mistakes` holds what was wrong in its files."""

    def __init__(self, workspace: Path | None = None) -> None:
        self.workspace = workspace
        self.mistakes: list[Mistake] = []
        self.runbooks = self._read()
        """By name, in the order of the names."""

    def _read(self) -> dict[str, Runbook]:
        found: dict[str, Runbook] = {}
        for path in sorted(SHIPPED.glob("*.md")):
            self._add(found, path, None)
        for path in sorted(self.workspace.glob("runbooks/*.md")) if self.workspace else []:
            self._add(found, path, self.workspace)
        return dict(sorted(found.items()))

    def _add(self, found: dict[str, Runbook], path: Path, root: Path | None) -> None:
        runbook = read(path, self.mistakes, root, shipped=root is None)
        if runbook is None:
            return
        twin = found.get(runbook.name)
        if twin is not None and not twin.shipped:
            problem = f'the name "{runbook.name}" is taken by {twin.path.name}'
            self.mistakes.append(Mistake(str(path.relative_to(root or path.parent)), 2, "runbook", problem))
            return
        found[runbook.name] = runbook

    def get(self, name: str) -> Runbook:
        """Raises NoSuchRunbook."""
        if name not in self.runbooks:
            hint = did_you_mean(name, self.runbooks)
            raise NoSuchRunbook(f'there is no runbook "{name}"' + (f" ({hint})" if hint else ""))
        return self.runbooks[name]

    def for_alert(self, labels: Mapping[str, str]) -> list[Runbook]:
        """Those that match, the most specific first: more matchers, then more equalities, then by name."""
        fitting = [r for r in self.runbooks.values() if r.head.matches and all_match(r.matchers, labels)]
        return sorted(fitting, key=_rank)


def _rank(runbook: Runbook) -> tuple[int, int, str]:
    exact = sum(matcher.is_equal and not matcher.is_regex for matcher in runbook.matchers)
    return -len(runbook.matchers), -exact, runbook.name
