"""`shopwatch run`, `init`, `incident`. What is heavy is imported by the command that needs it."""

from pathlib import Path

import click

from incident.arguments import number_argument, text_argument, when, why_argument
from incident.screen import Shopwatch, acknowledged, done, print_events, print_incident, short, table_or, talking
from probes.terminal import REFUSED, clean, emit_json, fail, local_time, workspace_dir

SEVERITIES = ("SEV1", "SEV2", "SEV3", "SEV4")
STATUSES = ("investigating", "identified", "monitoring", "resolved")
_LATEST = 10  # events that are shown with an incident


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Default: `listen.port` of shopwatch.yaml. 0 takes a free one."
)
@click.option("--database", metavar="URL", help="An SQLAlchemy URL. Default: SQLite in the workspace's .shopwatch/.")
def run(port: int | None, database: str | None) -> None:
    """Start Shopwatch: probes, alerts, incidents, status page. Ctrl-C ends it.

    \b
    Example:
      shopwatch -w myshop run --port 8470
    """
    from incident.daemon.process import main

    main(workspace_dir(), port, database)


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def init(directory: Path) -> None:
    """Write a workspace to start from into DIR, which must be new or empty.

    \b
    Example:
      shopwatch init myshop && shopwatch -w myshop check
    """
    from shlex import quote

    from incident.errors import Refused
    from incident.starter import write

    try:
        write(directory)
    except Refused as error:
        fail(str(error), REFUSED)
    typed = clean(quote(str(directory)))
    click.echo(f"A workspace is in {clean(str(directory))}. Read its shopwatch.yaml, then:")
    click.echo(f"  shopwatch -w {typed} check\n  shopwatch -w {typed} run")


@click.group()
def incident() -> None:
    """Work on incidents. `shopwatch ack 12` is short for `shopwatch incident ack 12`; so for the others that change.

    \b
    Example:
      shopwatch incident list
      shopwatch ack 12
    """


@incident.command("list")
@click.option("--all", "everything", is_flag=True, help="Resolved ones too.")
@talking
def incident_list(everything: bool, url: str | None, as_json: bool) -> None:
    """List the open incidents, the newest first.

    \b
    Example:
      shopwatch incident list --all
    """
    incidents = Shopwatch(url).get("/api/v1/incidents", all="true" if everything else None)
    if as_json:
        emit_json(incidents)
        return
    rows = [
        (
            f"#{i['number']}",
            i["severity"],
            i["status"],
            i["service"],
            local_time(i["opened_at"]),
            acknowledged(i),
            short(i["title"]),
        )
        for i in incidents
    ]
    nothing = "No incidents." if everything else "No incident is open."
    table_or(("N", "SEVERITY", "STATUS", "SERVICE", "OPENED", "ACK", "TITLE"), rows, nothing)


@incident.command()
@number_argument
@talking
def show(number: int, url: str | None, as_json: bool) -> None:
    """Show one incident with its latest events.

    \b
    Example:
      shopwatch incident show 12
    """
    client = Shopwatch(url)
    found = client.get(f"/api/v1/incidents/{number}")
    if as_json:
        emit_json(found)
        return
    print_incident(found)
    after = max(0, found["seq"] - _LATEST)
    events = client.get(f"/api/v1/incidents/{number}/timeline", after=after)[-_LATEST:]  # more may have come meanwhile
    if events and events[0]["seq"] > 1:
        click.echo(f"  … {events[0]['seq'] - 1} earlier events: shopwatch timeline {number}")
    print_events(events)


@incident.command()
@number_argument
@click.option("--after", metavar="SEQ", type=click.IntRange(0), help="Only the events after this one.")
@talking
def timeline(number: int, after: int | None, url: str | None, as_json: bool) -> None:
    """Show all that happened in an incident, in order.

    \b
    Example:
      shopwatch timeline 12
    """
    events = Shopwatch(url).get(f"/api/v1/incidents/{number}/timeline", after=after)
    if as_json:
        emit_json(events)
        return
    print_events(events)


@incident.command("open")
@click.argument("words", metavar="TITLE", nargs=-1, required=True)
@click.option("--service", metavar="NAME", help="The service that is in trouble, as in shopwatch.yaml.")
@click.option("--severity", type=click.Choice(SEVERITIES, case_sensitive=False), help="Default: SEV3.")
@click.option("--note", metavar="TEXT", help="What is known so far.")
@talking
def open_(
    *,
    words: tuple[str, ...],
    service: str | None,
    severity: str | None,
    note: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Open an incident by hand.

    \b
    Example:
      shopwatch incident open --service payment --severity SEV2 Cards are declined
    """
    args = {"title": " ".join(words), "service": service, "severity": severity, "text": note}
    found = Shopwatch(url).call(
        "POST", "/api/v1/incidents", {name: value for name, value in args.items() if value is not None}
    )
    done(found, as_json, "opened")


@incident.command()
@number_argument
@talking
def ack(number: int, url: str | None, as_json: bool) -> None:
    """Acknowledge: I have seen it and am on it.

    \b
    Example:
      shopwatch ack 12
    """
    found = Shopwatch(url).act(number, "ack")
    by = found.get("acknowledged_by") or "somebody"
    done(found, as_json, f"acknowledged (first by {by}, {local_time(found['acknowledged_at'])})")


@incident.command()
@number_argument
@text_argument
@talking
def note(number: int, words: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Write an internal note into the timeline.

    \b
    Example:
      shopwatch note 12 The provider sees time-outs too
    """
    done(Shopwatch(url).act(number, "note", text=" ".join(words)), as_json, "noted")


@incident.command()
@number_argument
@text_argument
@click.option("--public", is_flag=True, help="For the status page too.")
@click.option("--status", type=click.Choice(STATUSES), help="Set the status along with it.")
@click.option("--zh", "text_zh", metavar="TEXT", help="The same in Chinese, for /zh/.")
@click.option("--next", "next_", metavar="WHEN", type=when, help="When the next one follows: 20m, 18:30, ISO 8601.")
@click.option("--force", is_flag=True, help="With --status resolved: although something speaks against it.")
@talking
def update(
    *,
    number: int,
    words: tuple[str, ...],
    public: bool,
    status: str | None,
    text_zh: str | None,
    next_: str | None,
    force: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Tell people how it stands.

    \b
    Example:
      shopwatch update 12 --public --status identified Card payments fail; we are switching providers
    """
    said = {"text": " ".join(words), "text_zh": text_zh, "public": public, "status": status}
    found = Shopwatch(url).act(number, "update", **said, next_update_due=next_, force=force or None)
    done(found, as_json, "updated, on the status page too" if public else "updated")


@incident.command()
@number_argument
@click.argument("role", type=click.Choice(("commander", "communications", "scribe")))
@click.argument("who")
@talking
def assign(number: int, role: str, who: str, url: str | None, as_json: bool) -> None:
    """Give somebody a role.

    \b
    Example:
      shopwatch assign 12 commander lead
    """
    done(Shopwatch(url).act(number, "assign", role=role, who=who), as_json, f"{role} is {who}")


@incident.command()
@number_argument
@click.argument("severity", metavar="SEVn", type=click.Choice(SEVERITIES, case_sensitive=False))
@why_argument
@talking
def sev(number: int, severity: str, words: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Set the severity, SEV1 (worst) to SEV4, with a reason if you like.

    \b
    Example:
      shopwatch sev 12 SEV1 No order comes through
    """
    done(Shopwatch(url).act(number, "sev", severity=severity, text=" ".join(words) or None), as_json, f"is {severity}")


@incident.command()
@number_argument
@why_argument
@click.option("--force", is_flag=True, help="Although something speaks against it; then say why.")
@talking
def resolve(number: int, words: tuple[str, ...], force: bool, url: str | None, as_json: bool) -> None:
    """Close an incident that is over.

    It is refused while a journey of its services is down, while things that probes made in the shop are not undone,
    and while the last public update says that there is a problem.

    \b
    Example:
      shopwatch resolve 12 The provider rolled back
      shopwatch resolve 12 --force The journey fails for another reason, see 13
    """
    found = Shopwatch(url).act(number, "resolve", text=" ".join(words) or None, force=force or None)
    done(found, as_json, "resolved")


@incident.command()
@number_argument
@why_argument
@talking
def reopen(number: int, words: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Open a resolved incident again.

    \b
    Example:
      shopwatch reopen 12 It is back
    """
    done(Shopwatch(url).act(number, "reopen", text=" ".join(words) or None), as_json, "open again")
