"""`shopwatch probe locations`: the places from which probers look, as the daemon hears them."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import click

from incident.screen import Shopwatch, talking
from probes.terminal import clean, emit_json, local_time, table


@click.command()
@click.option("--forget", metavar="NAME", help="Miss this location no longer, until it is heard again.")
@talking
def locations(forget: str | None, url: str | None, as_json: bool) -> None:
    """Where probers report from, when each was last heard of, and what troubles it.

    \b
    Example:
      shopwatch probe locations
      shopwatch probe locations --forget frankfurt
    """
    ask = Shopwatch(url)
    if forget is not None:
        ask.call("DELETE", f"/api/v1/locations/{quote(forget, safe='')}")
    found = ask.get("/api/v1/locations")
    if as_json:
        emit_json(found)
        return
    show_locations(found)


def show_locations(found: Sequence[dict[str, Any]]) -> None:
    head = ("LOCATION", "IS", "LAST HEARD", "JOURNEYS", "LEFTOVERS", "WAITING", "TROUBLE")
    table(head, [_row(row) for row in found])


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        clean(row["location"]),
        "silent" if row["silent"] else "heard",
        local_time(row["heard_at"]),
        str(row["journeys"]),
        str(row["leftovers"]),
        f"{row['waiting']} bytes" if row["waiting"] else "-",
        clean("; ".join(row["troubles"])) or "-",
    )
