"""The command line as a whole: quick to start, well behaved in a pipe, plain about a workspace that is not there."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli import COMMANDS, SHORT_FORMS, shopwatch

CLI = [sys.executable, "-P", "-m", "cli"]


def _cpu(command: list[str]) -> float:
    """Seconds of CPU, the best of five."""
    best = 60.0
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def test_help_costs_less_than_150_ms_of_cpu_beyond_bare_python() -> None:
    assert _cpu([*CLI, "--help"]) - _cpu([sys.executable, "-c", "pass"]) < 0.150


def test_a_reader_that_has_read_enough_is_no_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*CLI, "schema", "journey"], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "command",
    [
        "check",
        "run",
        "probe list",
        "probe run x",
        "probe serve --report-to http://[::1]:1",
        "runbook list",
        "drill list",
    ],
)
def test_a_workspace_that_was_named_and_is_not_there_is_said(tmp_path: Path, command: str) -> None:
    done = CliRunner().invoke(shopwatch, ["-w", str(tmp_path / "nope"), *command.split()])
    assert done.exit_code == 2
    assert f"{tmp_path}/nope is not a folder" in done.stderr


def _commands(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(name, command)]
    context = click.Context(command)
    inner = [(part, command.get_command(context, part)) for part in command.list_commands(context)]
    return [(name, command)] + [found for part, one in inner if one for found in _commands(one, f"{name} {part}")]


def _has_example(word: str, text: str) -> bool:
    return any("shopwatch " in line and word in line for line in text.partition("\b")[2].splitlines())


def test_every_command_helps_with_an_example() -> None:
    names = _commands(shopwatch, "shopwatch")
    assert {name.split()[1] for name, _ in names[1:]} == set(COMMANDS)
    without = [name for name, command in names if not _has_example(name.split()[-1], command.help or "")]
    assert without == []


def test_every_short_form_is_a_command_of_incident() -> None:
    incident = shopwatch.get_command(click.Context(shopwatch), "incident")
    assert isinstance(incident, click.Group)
    assert set(SHORT_FORMS) <= set(incident.commands)


@pytest.mark.parametrize("command", ["practice", "demo", "run"])
def test_a_port_that_cannot_be_is_refused_plainly(command: str) -> None:
    done = CliRunner().invoke(shopwatch, [command, "--port", "99999"])
    assert done.exit_code == 2
    assert "99999 is not in the range" in done.stderr


def test_a_workspace_that_may_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, who may read everything
    done = CliRunner().invoke(shopwatch, ["-w", str(tmp_path), "check"])
    assert done.exit_code == 2
    assert f"{tmp_path} cannot be read" in done.stderr
