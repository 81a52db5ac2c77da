"""A scorecard for people: in the terminal, and as a page that can be sent around."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from probes.terminal import clean, local_time, paint, table

Card = Mapping[str, Any]
"""A scorecard as JSON: `Scorecard.to_json()`."""


def print_scorecard(card: Card) -> None:
    number = f" {card['number']}" if card.get("number") else ""
    click.echo(f"Drill{number} {clean(card['drill'])}: {paint(card['verdict'])}, {clean(card['why'])}")
    click.echo(
        f"  {clean(card['title'])}. {local_time(card['started_at'])} to {local_time(card['ended_at'], '%H:%M:%S')}"
    )
    if card["measures"]:
        rows = [(m["name"], m["asked"], m["measured"], "met" if m["met"] else "missed") for m in card["measures"]]
        table(("EXPECTED", "ASKED", "MEASURED", ""), rows)
    for what, names in card["exercised"].items():
        if names:
            click.echo(f"  {what}: {clean(', '.join(names))}")


def write_html(card: Card, path: Path) -> None:
    """One file without anything from outside. Raises OSError."""
    from jinja2 import Environment, FileSystemLoader

    templates = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
    path.write_text(templates.get_template("scorecard.html").render(card=card), encoding="utf-8")
