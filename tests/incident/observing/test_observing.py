import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from incident.observing.commands import FILES, export

HERE = Path(__file__).parent
DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
NAME = re.compile(r"\bshopwatch_[a-z_]+\b")


def printed(what: str) -> str:
    result = CliRunner().invoke(export, [what])
    assert result.exit_code == 0
    return result.output


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / FILES["rules"]
    file.write_text(printed("rules"), encoding="utf-8")
    return file


def promtool(*words: str, folder: Path) -> tuple[int, str]:
    told = subprocess.run(["promtool", *words], cwd=folder, capture_output=True, text=True, check=False)
    return told.returncode, told.stdout + told.stderr


@pytest.mark.needs("prometheus")
def test_prometheus_takes_the_rules_and_they_raise_what_they_should(rules: Path) -> None:
    shutil.copy(HERE / "rules_test.yml", rules.parent)
    assert promtool("check", "rules", rules.name, folder=rules.parent)[0] == 0
    code, said = promtool("test", "rules", "rules_test.yml", folder=rules.parent)
    assert code == 0, said


@pytest.mark.needs("prometheus")
def test_every_question_of_the_dashboard_is_promql(tmp_path: Path) -> None:
    questions = [target["expr"] for panel in panels() for target in panel.get("targets", [])]
    assert len(questions) > 10
    as_rules = [{"record": "q", "expr": text.replace("$journey", ".*")} for text in questions]
    text = json.dumps({"groups": [{"name": "g", "rules": as_rules}]})
    (tmp_path / "q.yml").write_text(text, encoding="utf-8")
    code, said = promtool("check", "rules", "q.yml", folder=tmp_path)
    assert code == 0, said


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(printed("dashboard"))["panels"]
    return found


def test_panels_have_ids_of_their_own_and_do_not_lie_on_each_other() -> None:
    shown = panels()
    assert len({panel["id"] for panel in shown}) == len(shown)
    taken: set[tuple[int, int]] = set()
    for panel in shown:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("what", list(FILES))
def test_only_metrics_that_are_documented_are_asked_for(what: str) -> None:
    known = set(NAME.findall(DOCS.read_text(encoding="utf-8")))
    text = re.sub(r"\w+:shopwatch_\w+:\w+", "", printed(what))  # names of recording rules
    asked = {re.sub(r"_(bucket|sum|count)$", "", name) for name in NAME.findall(text)}
    assert asked
    assert asked - known == set()
