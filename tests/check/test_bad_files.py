"""Each file of `bad/` has mistakes; the file of the same name that ends in `.expected` says what `check` prints."""

from pathlib import Path

import pytest

from drills.checks import check_workspace
from tests.check.good import workspace

BAD = Path(__file__).parent / "bad"
FOLDERS = {"settings": "", "journey": "probes", "drill": "drills", "runbook": "runbooks"}
CASES = sorted(path for path in BAD.iterdir() if path.suffix != ".expected")


def messages(bad: Path, folder: Path) -> str:
    """What `check` prints about a good workspace with this one file in it."""
    kind = bad.name.split("-")[0]
    target = workspace(folder) / FOLDERS[kind] / ("shopwatch.yaml" if kind == "settings" else bad.name)
    target.write_bytes(bad.read_bytes())
    return "".join(f"{mistake}\n" for mistake in check_workspace(folder, {}).mistakes)


@pytest.mark.parametrize("bad", CASES, ids=lambda path: path.stem)
def test_check_says_exactly_what_is_wrong(bad: Path, tmp_path: Path) -> None:
    assert messages(bad, tmp_path) == bad.with_suffix(".expected").read_text()


def test_every_expectation_has_its_bad_file() -> None:
    assert {path.stem for path in BAD.glob("*.expected")} == {path.stem for path in CASES}
