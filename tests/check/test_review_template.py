"""The workspace's own template of reviews is checked with all else."""

from pathlib import Path

import pytest

from drills.checks import check_workspace
from tests.check.good import workspace

WRONG = {
    "# {{ incident.title }}\n\n{{ sections.impact | shout }}\n": (3, "No filter named 'shout'."),
    "# {{ incident.title }}\n{% for one in incident.timeline %}\n": (2, "Unexpected end of template"),
    "one\ntwo\n{{ }}\n": (3, "Expected an expression"),
    "one\n{% include 'x' %}\n": (2, "include has no place in a template"),
    "one\n{% macro m() %}{% endmacro %}": (2, "macro has no place in a template"),
    "one\n\n{{ incidnet.title }}\n": (3, "incidnet is no name that a review has"),
    "{{ " + "[" * 150 + "]" * 150 + " }}": (1, "is nested too deeply"),
    "x" * 100_001: (1, "has more than 100000 characters"),
}


def write(folder: Path, text: str) -> None:
    workspace(folder)
    (folder / "runbooks").mkdir(exist_ok=True)
    (folder / "runbooks" / "review.md.j2").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_a_mistake_in_it_is_shown_with_its_line(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    line, words = WRONG[text]
    [mistake] = check_workspace(tmp_path).mistakes
    assert (mistake.file, mistake.line, mistake.level) == ("runbooks/review.md.j2", line, "error")
    assert words in mistake.problem


def test_one_that_is_right_is_no_mistake(tmp_path: Path) -> None:
    write(tmp_path, "# {{ incident.title }}\n{% for one in incident.timeline %}{{ one.text }} {{ lang }}{% endfor %}\n")
    assert check_workspace(tmp_path).mistakes == []


def test_a_name_close_to_a_right_one_is_told(tmp_path: Path) -> None:
    write(tmp_path, "{{ section.impact }}")
    assert [mistake.hint for mistake in check_workspace(tmp_path).mistakes] == ['did you mean "sections"?']


def test_bytes_that_are_no_text_are_said(tmp_path: Path) -> None:
    write(tmp_path, "")
    (tmp_path / "runbooks" / "review.md.j2").write_bytes(b"\xff\xfe")
    [mistake] = check_workspace(tmp_path).mistakes
    assert "cannot be read" in mistake.problem
