import subprocess
import sys
from pathlib import Path

import pytest

FILE = """
import pytest, tests.calm
tests.calm.LATE = {late}
tries = []

@pytest.mark.by_the_clock
def test_second_time_lucky(tmp_path):
    tries.append(tmp_path)
    assert len(tries) == 2

def test_never_tried_again():
    assert not tries or len(tries) == 7
"""


@pytest.mark.parametrize(
    ("late", "said"),
    [(0.0, ["1 failed, 1 passed", "tried again"]), (1e9, ["2 failed"])],
    ids=["the machine stood still", "it did not"],
)
def test_what_fails_while_the_machine_stands_still_is_tried_again_and_nothing_else(
    tmp_path: Path, late: float, said: list[str]
) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = by_the_clock\n")
    (tmp_path / "test_it.py").write_text(FILE.format(late=late))
    command = [sys.executable, "-m", "pytest", "-p", "tests.calm", "-p", "no:cacheprovider", str(tmp_path)]
    root = Path(__file__).parent.parent
    out = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True).stdout
    assert all(word in out for word in said), out
    assert ("tried again" in out) == (late == 0.0)
