"""The wheel, installed as a user installs it: outside the checkout, with no more than what it declares."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PIP = ["-m", "pip", "--disable-pip-version-check", "--quiet"]


def _run(*command: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_wheel_works_outside_the_checkout(tmp_path: Path) -> None:
    built = _run(sys.executable, *PIP, "wheel", "--no-deps", "-w", tmp_path, ROOT, cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("shopwatch-*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    installed = _run(tmp_path / "venv/bin/python", *PIP, "install", wheel, cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    empty = tmp_path / "empty"
    empty.mkdir()
    done = _run(tmp_path / "venv/bin/shopwatch", "demo", "--once", "--port", "0", cwd=empty)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed, every expectation was met" in done.stdout
    assert list(empty.iterdir()) == []
