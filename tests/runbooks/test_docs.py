"""docs/runbooks.md, kept true."""

import re
from pathlib import Path

import pytest

from probes.files.mistakes import Mistake
from runbooks.document import FrontMatter, Parameter, PreparedUpdate, read

PAGE = (Path(__file__).parents[2] / "docs" / "runbooks.md").read_text()
KEYS = [*FrontMatter.model_fields, *Parameter.model_fields, *PreparedUpdate.model_fields]


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_documented(key: str) -> None:
    assert f"`{key}`" in PAGE


def test_the_samples_read_without_a_mistake(tmp_path: Path) -> None:
    head, update = re.findall(
        r"^(?:````markdown|```markdown)\n(.*?)^(?:````|```)$\n\n(?=##|A drill)", PAGE, re.S | re.M
    )
    (tmp_path / "sample.md").write_text(head + update)
    mistakes: list[Mistake] = []
    runbook = read(tmp_path / "sample.md", mistakes, tmp_path)
    assert mistakes == []
    assert runbook is not None and runbook.updates[0].status == "identified"
