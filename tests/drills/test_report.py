"""The scorecard as people see it."""

from pathlib import Path

import pytest

from drills.report import print_scorecard, write_html
from drills.scorecard import grade
from tests.drills.test_scorecard import DRILL, at, good


def test_the_terminal_shows_each_expectation_and_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    print_scorecard(grade(DRILL, good(), at(-5), at(26)).to_json())
    shown = capsys.readouterr().out
    assert "payment-declines: passed" in shown
    assert "within 20s" in shown and "6.0 s" in shown


def test_the_page_escapes_what_came_from_outside(tmp_path: Path) -> None:
    card = grade(DRILL, good(), at(-5), at(26)).to_json() | {"title": "<script>alert(1)</script>"}
    write_html(card, tmp_path / "card.html")
    page = (tmp_path / "card.html").read_text()
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "15.0 s" in page and 'class="passed"' in page
