"""What the commands of this package share: asking the daemon, and showing what it answered."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from incident.client import Answered, BadAddress, Client, Unreachable
from probes.terminal import REFUSED, UNREACHABLE, USAGE, clean, emit_json, fail, json_option, local_time, paint, table

_Command = TypeVar("_Command", bound=Callable[..., Any])

url_option = click.option(
    "--url", metavar="URL", help="The Shopwatch to talk to. Default: $SHOPWATCH_URL, else http://127.0.0.1:8470."
)


def talking(command: _Command) -> _Command:
    """Adds `--url` and `--json`: for commands that talk to a running Shopwatch."""
    return url_option(json_option(command))


class Shopwatch:
    """A `Client` whose failures end the command with the right exit code and a helpful word."""

    def __init__(self, url: str | None) -> None:
        try:
            self.client = Client(url)
        except BadAddress as error:
            fail(str(error), USAGE)

    def get(self, path: str, **query: Any) -> Any:
        return self._try(lambda: self.client.get(path, **query))

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return self._try(lambda: self.client.call(method, path, body))

    def download(self, path: str, **query: Any) -> bytes:
        found: bytes = self._try(lambda: self.client.download(path, **query))
        return found

    def act(self, number: int, action: str, **args: Any) -> dict[str, Any]:
        """One action on an incident; returns the incident as it is then. Arguments that are None are left out."""
        given = {name: value for name, value in args.items() if value is not None}
        found: dict[str, Any] = self.call("POST", f"/api/v1/incidents/{number}/{action}", given)
        return found

    def _try(self, ask: Any) -> Any:
        try:
            return ask()
        except Unreachable as error:
            fail(
                f"{error}. Start it with `shopwatch run`, or say where it is with --url or $SHOPWATCH_URL.", UNREACHABLE
            )
        except Answered as error:
            if error.status == 401:
                fail(f"{error}. {self._about_token()}", REFUSED)
            fail(str(error), UNREACHABLE if error.status in (502, 503, 504) else REFUSED)

    def _about_token(self) -> str:
        if self.client.token:
            return "Ask for a new token: `shopwatch token create NAME --role ROLE`, where the daemon runs."
        return f"No token of a daemon at {self.client.url} lies on this account: set $SHOPWATCH_TOKEN."


def short(text: str, width: int = 72) -> str:
    words = " ".join(text.split())
    return words if len(words) <= width else words[: width - 1] + "…"


def table_or(headers: Sequence[str], rows: Sequence[Sequence[object]], nothing: str) -> None:
    if rows:
        table(headers, rows)
    else:
        click.echo(nothing)


def done(incident: dict[str, Any], as_json: bool, what: str) -> None:
    """The answer to an action: one line, or the incident."""
    if as_json:
        emit_json(incident)
        return
    drill = " (drill)" if incident["drill"] else ""
    click.echo(f"#{incident['number']}{drill} {clean(what)}: {paint(incident['severity'])} {paint(incident['status'])}")


def acknowledged(incident: dict[str, Any]) -> str:
    return incident.get("acknowledged_by") or ("yes" if incident["acknowledged_at"] else "-")


def print_incident(incident: dict[str, Any]) -> None:
    click.echo(click.style(f"#{incident['number']} {clean(incident['title'])}", bold=True))
    lines = [
        ("", f"{paint(incident['severity'])}, {paint(incident['status'])}"),
        ("because", clean(incident.get("reason") or "")),
        ("proposed", f"{paint(incident['proposed'])}: confirm it with sev" if incident.get("proposed") else ""),
        ("services", clean(", ".join(incident["services"]))),
        ("drill", clean(incident["drill"] or "")),
        ("opened", local_time(incident["opened_at"])),
        ("acknowledged", _acknowledged_line(incident)),
        ("mitigated", local_time(incident["mitigated_at"])),
        ("resolved", local_time(incident["resolved_at"])),
        ("roles", clean(", ".join(f"{role} {who}" for role, who in incident["roles"].items()))),
        ("alerts", f"{incident.get('firing', 0)} firing of {len(incident['alerts'])}" if incident["alerts"] else ""),
        ("runbooks", clean(", ".join(incident["runbooks"]))),
        ("next update", local_time(incident["next_update_due"])),
        ("seen before", clean((incident.get("similar") or {}).get("said") or "")),
        ("causes", clean(", ".join(incident.get("causes") or ()))),
    ]
    for name, text in lines:
        if text:
            click.echo(f"  {name:<13}{text}")


def _acknowledged_line(incident: dict[str, Any]) -> str:
    if not incident["acknowledged_at"]:
        if incident["status"] == "resolved":
            return ""
        return "not yet: nobody was paged" if incident.get("unpaged") else "not yet"
    by = incident.get("acknowledged_by")
    return local_time(incident["acknowledged_at"]) + (f" by {clean(by)}" if by else "")


def print_events(events: Sequence[dict[str, Any]]) -> None:
    rows = [(event["seq"], local_time(event["at"]), event["actor"], _kind(event), _said(event)) for event in events]
    table_or(("SEQ", "AT", "WHO", "WHAT", ""), rows, "Nothing has happened.")


def _kind(event: dict[str, Any]) -> str:
    if event["kind"] == "update":
        return "public update" if event["data"].get("public") else "update"
    return str(event["kind"]).replace("_", " ")


def _said(event: dict[str, Any]) -> str:
    status = event["data"].get("status")
    text = " ".join(str(event["text"]).split())
    return f"[{status}] {text}" if event["kind"] == "update" and status else text
