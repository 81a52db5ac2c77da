"""docs/drills.md, kept true."""

import re
from pathlib import Path

import pytest

from drills.loading import load_file
from drills.model import Abort, Drill, Expectations, Fault, Proves
from probes.files.mistakes import Mistake
from probes.files.secrets import Environment

PAGE = (Path(__file__).parents[2] / "docs" / "drills.md").read_text()
LATER = {"http", "run", "proxy", "chaostoolkit"}  # faults that this version refuses
FIELDS = [item for model in (Drill, Fault, Proves, Abort, Expectations) for item in model.model_fields.items()]
KEYS = sorted({field.alias or name for name, field in FIELDS} - LATER)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_documented(key: str) -> None:
    assert re.search(rf"`{key}[`:]", PAGE)


def test_the_sample_is_a_drill_without_a_mistake(tmp_path: Path) -> None:
    (sample,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    (tmp_path / "sample.yaml").write_text(sample)
    mistakes: list[Mistake] = []
    (drill,) = load_file(tmp_path / "sample.yaml", Environment({}), mistakes)
    assert mistakes == []
    assert drill.name == "payment-provider-slow"
