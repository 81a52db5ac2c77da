"""docs/settings.md and the settings' model say the same."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from drills.checks import check_workspace
from drills.notyet import EACH, ONCE
from incident.settings import Settings
from tests.check.good import SETTINGS, workspace

DOC = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
SECTIONS = {part.split("\n", 1)[0]: part for part in DOC.split("\n## ")[1:]}
SAMPLES = re.findall(r"```yaml\n(.*?)```", DOC, re.S)


def keys(annotation: Any) -> set[str]:
    """Every key of the models inside an annotation, however deep."""
    found: set[str] = set()
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            found.add(field.alias or name)
            if name != "routes":  # routes hold routes
                found |= keys(field.annotation)
    for inner in get_args(annotation):
        found |= keys(inner) if not isinstance(inner, str) else set()
    return found


@pytest.mark.parametrize("section", Settings.model_fields)
def test_every_key_is_documented_in_its_section(section: str) -> None:
    assert section in SECTIONS, f"docs/settings.md has no section ## {section}"
    documented = set(re.findall(r"`([a-z_]+)`", SECTIONS[section]))
    assert keys(Settings.model_fields[section].annotation) - documented == set()


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_validates(sample: str, tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    missing = [line for line in SETTINGS.splitlines(True)[:1] if "shop:" not in sample]
    services = SETTINGS.split("\n", 1)[1] if "services:" not in sample else ""
    (folder / "shopwatch.yaml").write_text("".join(missing) + services + sample)
    (folder / "probes" / "home.yaml").unlink()
    assert [str(m) for m in check_workspace(folder, {}).mistakes if m.level == "error"] == []


@pytest.mark.parametrize("place", [*ONCE, *EACH], ids=".".join)
def test_what_is_not_acted_on_yet_is_documented_as_such(place: tuple[str, ...]) -> None:
    section = SECTIONS[place[0]]
    row = next((line for line in section.splitlines() if f"`{place[-1]}`" in line), "")
    before_table = section.split("| key |")[0]
    assert "ot acted on yet" in " ".join((before_table, row)).replace("\n", " ")
