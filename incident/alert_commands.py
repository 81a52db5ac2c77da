"""`shopwatch alert`."""

import sys
from typing import Any

import click

from incident.screen import Shopwatch, short, table_or, talking
from probes.terminal import emit_json, emit_json_as_it_came, local_time

_SHOWN = 500  # alerts that anybody reads


@click.group()
def alert() -> None:
    """See what is firing.

    \b
    Example:
      shopwatch alert list
    """


@alert.command("list")
@click.option(
    "--filter", "filters", metavar="MATCHER", multiple=True, help="""Such as 'service="payment"'; repeatable."""
)
@click.option("--all", "everything", is_flag=True, help=f"More than {_SHOWN} too; with --json it always is all.")
@talking
def alert_list(filters: tuple[str, ...], everything: bool, url: str | None, as_json: bool) -> None:
    """List the alerts that fire now, the oldest first.

    \b
    Example:
      shopwatch alert list --filter service=payment
    """
    client = Shopwatch(url)
    if as_json and not sys.stdout.isatty():  # for a program: thousands of them as they came
        emit_json_as_it_came(client.download("/api/v2/alerts", filter=list(filters)))
        return
    most = {} if everything or as_json else {"limit": _SHOWN + 1}
    alerts = client.get("/api/v2/alerts", filter=list(filters), **most)
    if as_json:
        emit_json(alerts)
        return
    alerts.sort(key=lambda item: item["startsAt"])
    rows = [_alert_row(item) for item in (alerts if everything else alerts[:_SHOWN])]
    table_or(("SINCE", "SEVERITY", "SERVICE", "ALERT", "WHAT", "HELD BACK BY"), rows, "Nothing fires.")
    if len(rows) < len(alerts):
        click.echo(f"These are the {_SHOWN} oldest, and there are more: --all lists them, --filter chooses.")


def _alert_row(item: dict[str, Any]) -> tuple[str, ...]:
    labels, notes = item["labels"], item["annotations"]
    location = labels.get("location", "local")
    seen_from = "" if location == "local" else f"from {location}"
    name = " ".join(filter(None, (labels.get("alertname"), labels.get("journey"), seen_from)))
    words = notes.get("summary") or notes.get("description") or ""
    said = (labels.get("severity", ""), labels.get("service", ""), name, words, _held_back(item["status"]))
    return (local_time(item["startsAt"]), *map(short, said))  # else one endless label makes every line as wide


def _held_back(status: dict[str, Any]) -> str:
    silences = [f"silence {one[:8]}" for one in status["silencedBy"]]
    inhibitors = [f"alert {one[:8]}" for one in status["inhibitedBy"]]
    return ", ".join([*silences, *inhibitors, *status["mutedBy"]])
