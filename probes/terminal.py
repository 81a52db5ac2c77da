"""What every command shares: the workspace, exit codes, tables, JSON, and text from outside made safe to print.

Light on purpose (click and the standard library only): it is imported at every start of the command line.
"""

import json
import os
import re
import sys
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import click

# Exit codes (docs/cli.md)
NOT_WELL = 1  # what was asked about is not well
USAGE = 2  # usage or configuration
UNREACHABLE = 3  # Shopwatch cannot be reached
REFUSED = 4  # not found, not allowed, refused, or changed by somebody else meanwhile

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


class Failure(click.ClickException):
    """Ends the command with a message on standard error and an exit code of this module."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(clean(message, keep="\n"))
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it on the class and reads it here


def fail(message: str, exit_code: int = USAGE) -> NoReturn:
    raise Failure(message, exit_code)


def workspace_dir() -> Path:
    """`-w`, else `$SHOPWATCH_WORKSPACE`, else the current folder. `cli.main` has put it into the context.

    Fails where one was named that is none.
    """
    context = click.get_current_context(silent=True)
    chosen = context.find_root().params.get("workspace") if context else None
    folder = Path(chosen or os.environ.get("SHOPWATCH_WORKSPACE") or ".")
    if not folder.is_dir():
        fail(f"{folder} is not a folder: say which workspace with -w DIR, or write one with `shopwatch init DIR`")
    if not os.access(folder, os.R_OK | os.X_OK):
        fail(f"{folder} cannot be read by this account")
    return folder


_BIDI_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: str, keep: str = "") -> str:
    """Text from outside, safe for a terminal: control and bidirectional-override characters become visible escapes."""
    if text.isprintable():  # nearly all is: neither of these characters
        return text
    return "".join(c if c in keep or not _dangerous(c) else f"\\x{ord(c):02x}" for c in text)


def _dangerous(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _BIDI_OVERRIDES


_STEERING = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def emit_json(document: Any) -> None:
    """One document."""
    click.echo(_tame(json.dumps(document, ensure_ascii=False, indent=2, default=str)))


def emit_json_as_it_came(raw: bytes) -> None:
    """One document that may be large: read by nobody here unless it has what could steer a terminal."""
    click.echo(raw if raw.isascii() and b"\x7f" not in raw else _tame(raw.decode()))


def _tame(text: str) -> str:
    """The same JSON, in which what could steer a terminal is escaped."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


COLOURS = {
    "up": "green", "resolved": "green", "passed": "green", "met": "green", "monitoring": "cyan",
    "degraded": "yellow", "stale": "yellow", "identified": "yellow", "SEV3": "yellow", "SEV4": "yellow",
    "down": "red", "firing": "red", "investigating": "red", "failed": "red", "SEV1": "red", "SEV2": "red",
    "silent": "red", "prober": "yellow",
}  # fmt: skip


def paint(word: str) -> str:
    """Colours a word of the vocabulary; click drops the colour again where the output is piped or NO_COLOR is set."""
    if word in COLOURS and not os.environ.get("NO_COLOR"):
        return click.style(word, fg=COLOURS[word], bold=word in ("down", "firing", "SEV1"))
    return word


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints aligned columns. Cells are cleaned; words such as `down` are coloured; wide characters count as two."""
    cells = [[clean(str(cell)) for cell in row] for row in rows]
    widths = [max(_width(line[i]) for line in [list(headers), *cells]) for i in range(len(headers))]
    lines = [click.style(_line(headers, widths), dim=True), *(_line(row, widths, paint) for row in cells)]
    click.echo("\n".join(lines))


def _line(cells: Sequence[str], widths: Sequence[int], render: Any = str) -> str:
    padded = [render(cell) + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join(padded).rstrip()


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def local_time(instant: datetime | str | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """An instant (UTC, or its ISO text) in the user's own zone; empty for None."""
    if instant is None:
        return ""
    parsed = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    return parsed.astimezone().strftime(form)


def interactive() -> bool:
    return sys.stdout.isatty()
