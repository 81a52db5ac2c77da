"""Journeys that watch the business, to be copied and fitted to a shop's own tables. docs/business.md is about them."""

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent


class Example(NamedTuple):
    """`about`: its first line, without the mark of the comment."""

    name: str
    about: str
    text: str


def examples() -> list[Example]:
    """All of them, by name."""
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        text = path.read_text("utf-8")
        found.append(Example(path.stem, text.partition("\n")[0].lstrip("# "), text))
    return found
