"""`shopwatch check` and `shopwatch schema`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from probes.terminal import NOT_WELL, clean, emit_json, json_option, workspace_dir

if TYPE_CHECKING:
    from probes.files.mistakes import Mistake

_KINDS = ("shopwatch", "journey", "runbook", "drill")


@click.command()
@json_option
def check(as_json: bool) -> None:
    """Validate every file of the workspace, and show every mistake at once.

    Each line is FILE:LINE: PATH: what is wrong (and what would be right); files are named from the workspace on.
    Warnings are shown too, but only mistakes make the exit code 1.

    \b
    Example:
      shopwatch -w myshop check
    """
    from drills.checks import check_workspace

    report = check_workspace(workspace_dir())
    if as_json:
        emit_json([mistake.to_json() for mistake in report.mistakes])
    else:
        for mistake in report.mistakes:
            click.echo(clean(str(mistake)))
        click.echo(_summary(report.counts, report.mistakes), err=bool(report.mistakes))
    if not report.clean:
        raise SystemExit(NOT_WELL)


def _summary(counts: Mapping[str, int], mistakes: Sequence["Mistake"]) -> str:
    """`2 journeys, 1 runbook, 1 drill: 3 mistakes, 1 warning`."""
    wrong = sum(mistake.level == "error" for mistake in mistakes)
    found = [_number(wrong, "mistake")] if wrong else []
    if wrong < len(mistakes):
        found.append(_number(len(mistakes) - wrong, "warning"))
    read = ", ".join(_number(count, kind) for kind, count in counts.items())
    return f"{read}: {', '.join(found) or 'no mistakes'}"


def _number(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


@click.command()
@click.argument("name", type=click.Choice(_KINDS), metavar="|".join(_KINDS))
def schema(name: str) -> None:
    """Print the JSON Schema of a kind of file, for editors that complete and underline.

    \b
    Example:
      shopwatch schema journey > journey.schema.json
    """
    from drills.schemas import schema_of

    emit_json(schema_of(name))
