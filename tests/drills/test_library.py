"""The shipped drills."""

from pathlib import Path

import pytest

from drills.commands import LIBRARY
from drills.loading import SHIPPED_JOURNEYS, load_file
from probes.files.mistakes import Mistake
from probes.files.secrets import Environment
from probes.files.yamlfile import load
from runbooks.library import Library

FILES = sorted(LIBRARY.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_shipped_drill_is_without_mistakes_and_names_what_exists(path: Path) -> None:
    mistakes: list[Mistake] = []
    (drill,) = load_file(path, Environment({}), mistakes)
    assert mistakes == []
    assert drill.name == path.stem
    journeys = {document.data["journey"] for file in SHIPPED_JOURNEYS.glob("*.yaml") for document in load(file, [])}
    assert {*drill.hypothesis, *(fault.proves.journey for fault in drill.faults if fault.proves)} <= journeys
    assert drill.expect.runbook in Library().runbooks


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_shipped_drill_ends_by_itself_should_everything_else_die(path: Path) -> None:
    (drill,) = load_file(path, Environment({}), [])
    assert all(fault.lease <= 600 for fault in drill.faults)
