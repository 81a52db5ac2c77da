"""`shopwatch silence` and `shopwatch maintenance`. What is heavy is imported by the command that needs it."""

from datetime import datetime, timedelta
from typing import Any

import click

from incident.screen import Shopwatch, short, table_or, talking
from probes.terminal import REFUSED, clean, emit_json, fail, local_time

_NOW = "0001-01-01T00:00:00Z"  # by the daemon's clock
_PREFIX = "shopwatch/"  # of the annotations that say how a silence recurs


@click.group()
def silence() -> None:
    """Keep alerts quiet for a while: they are kept and shown, open no incident, and page nobody.

    \b
    Example:
      shopwatch silence add service=payment --for 2h --comment "the provider migrates"
    """


def _when(text: str) -> datetime:
    from incident.when import parse_when

    try:
        return parse_when(text, datetime.now().astimezone())
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(str(error)) from None


def _lasts(text: str) -> float:
    from probes.duration import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if seconds <= 0:
        raise click.BadParameter("a silence lasts longer than nothing: write 2h, 30m, 1d")
    return seconds


def _matchers(words: tuple[str, ...]) -> list[Any]:
    """A word without an operator is the name of an alert, as in amtool."""
    from incident.web.matcher_text import read_matcher
    from probes.labels import BadMatcher

    try:
        return [read_matcher(word if set(word) & set("=~") else f'alertname="{word}"') for word in words]
    except BadMatcher as error:
        raise click.BadParameter(str(error)) from None


@silence.command("add")
@click.argument("words", metavar="MATCHER...", nargs=-1, required=True)
@click.option("--for", "lasts", metavar="TIME", type=_lasts, help="How long, such as 2h; with --cron, each time.")
@click.option("--comment", metavar="TEXT", help="Why, for those who wonder.")
@click.option("--from", "begins", metavar="WHEN", type=_when, help="Default: now.")
@click.option("--until", metavar="WHEN", type=_when, help="Instead of --for; with --cron, when it stops to recur.")
@click.option("--cron", metavar="SCHEDULE", help='Again and again, such as "0 2 * * *": five fields, as in crontab.')
@click.option("--time-zone", metavar="ZONE", help="Of --cron, such as Europe/Berlin. Default: the shop's.")
@click.option("--preview", is_flag=True, help="Only show what it would match now.")
@talking
def add(words: tuple[str, ...], url: str | None, as_json: bool, preview: bool, **given: Any) -> None:
    """Silence the alerts that match all of MATCHER..., such as service=payment or 'alertname=~"Disk.*"'.

    \b
    Example:
      shopwatch silence add service=payment --for 2h --comment "the provider migrates"
      shopwatch silence add job=backup --cron "0 2 * * *" --for 1h --comment "the nightly backup"
    """
    matchers = _matchers(words)
    client = Shopwatch(url)
    if preview:
        _show_matching(client.get("/api/v2/alerts", filter=[str(one) for one in matchers]), as_json)
        return
    if not given["comment"]:
        raise click.UsageError("say why with --comment TEXT: others will wonder")
    made = client.call("POST", "/api/v2/silences", _body(matchers, **given))
    found = client.get(f"/api/v2/silence/{made['silenceID']}")
    if as_json:
        emit_json(found)
        return
    click.echo(f"{found['id']}: {found['status']['state']} until {local_time(found['endsAt'])}{_again(found)}")
    held = [one for one in client.get("/api/v2/alerts") if found["id"] in one["status"]["silencedBy"]]
    click.echo(f"It holds back {_count(len(held))} now.")


def _body(
    matchers: list[Any],
    *,
    lasts: float | None,
    comment: str,
    begins: datetime | None,
    until: datetime | None,
    cron: str | None,
    time_zone: str | None,
) -> dict[str, Any]:
    if lasts is None and (cron or not until):
        raise click.UsageError("say how long with --for, such as --for 2h")
    if lasts is not None and until and not cron:
        raise click.UsageError("--for and --until say the same: one of them")
    if time_zone and not cron:
        raise click.UsageError("--time-zone is that of --cron")
    start = begins or datetime.now().astimezone()
    end = until if until is not None and not cron else start + timedelta(seconds=lasts or 0)
    return {
        "matchers": [
            {"name": one.name, "value": one.value, "isRegex": one.is_regex, "isEqual": one.is_equal} for one in matchers
        ],
        "startsAt": _NOW if begins is None else begins.isoformat(),
        "endsAt": end.isoformat(),
        "createdBy": "",
        "comment": comment,
        "annotations": _recurring(cron, lasts, time_zone, until) if cron else {},
    }


def _recurring(cron: str, lasts: float | None, time_zone: str | None, until: datetime | None) -> dict[str, str]:
    from probes.duration import format_duration

    told = {"cron": cron, "for": format_duration(lasts or 0), "time_zone": time_zone}
    told["until"] = None if until is None else until.isoformat()
    return {f"{_PREFIX}{name}": text for name, text in told.items() if text is not None}


def _show_matching(alerts: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        emit_json(alerts)
        return
    click.echo(f"It would match {_count(len(alerts))} that {'fires' if len(alerts) == 1 else 'fire'} now.")
    rows = [
        (one["labels"].get("alertname", ""), one["labels"].get("service", ""), one["annotations"].get("summary", ""))
        for one in alerts
    ]
    table_or(("ALERT", "SERVICE", "WHAT"), [(name, service, short(what)) for name, service, what in rows], "")


def _count(number: int) -> str:
    return "1 alert" if number == 1 else f"{number} alerts"


@silence.command("list")
@click.option("--all", "everything", is_flag=True, help="Expired ones too.")
@talking
def list_(everything: bool, url: str | None, as_json: bool) -> None:
    """List the silences: active ones first, then those to come.

    \b
    Example:
      shopwatch silence list --all
    """
    found = Shopwatch(url).get("/api/v2/silences", expired=None if everything else "false")
    if as_json:
        emit_json(found)
        return
    rows = [
        (
            one["id"][:8],
            one["status"]["state"],
            local_time(one["startsAt"]),
            local_time(one["endsAt"]) + _again(one),
            one["createdBy"],
            short(_written(one), 60),
            short(one["comment"], 40),
        )
        for one in found
    ]
    table_or(("ID", "STATE", "FROM", "UNTIL", "BY", "MATCHERS", "COMMENT"), rows, "No silences.")


def _again(one: dict[str, Any]) -> str:
    cron = (one.get("annotations") or {}).get(f"{_PREFIX}cron")
    return f" ({clean(cron)})" if cron else ""


def _written(one: dict[str, Any]) -> str:
    from probes.labels import LabelMatcher

    return ", ".join(str(LabelMatcher(m["name"], m["value"], m["isRegex"], m["isEqual"])) for m in one["matchers"])


def _whole_id(client: Shopwatch, text: str) -> str:
    """The id that begins so, as `silence list` shows it."""
    if len(text) == 36:
        return text
    found = [one["id"] for one in client.get("/api/v2/silences") if one["id"].startswith(text.lower())]
    if len(found) != 1 or not text:
        many = "several silences begin" if found else "no silence begins"
        fail(f"{many} with {text!r}: see `shopwatch silence list --all`", REFUSED)
    return str(found[0])


@silence.command("show")
@click.argument("silence_id", metavar="ID")
@talking
def show(silence_id: str, url: str | None, as_json: bool) -> None:
    """Show one silence, and who did what to it.

    \b
    Example:
      shopwatch silence show 3f6c1c1e
    """
    client = Shopwatch(url)
    whole = _whole_id(client, silence_id)
    found = client.get(f"/api/v2/silence/{whole}")
    found["record"] = client.get(f"/api/v1/muting/silences/{whole}")
    if as_json:
        emit_json(found)
        return
    click.echo(click.style(f"{found['id']} {found['status']['state']}", bold=True))
    for name, text in (
        ("matchers", clean(_written(found))),
        ("from", local_time(found["startsAt"])),
        ("until", local_time(found["endsAt"]) + _again(found)),
        ("by", clean(found["createdBy"])),
        ("comment", clean(found["comment"])),
    ):
        click.echo(f"  {name:<10}{text}")
    rows = [(local_time(one["at"]), one["actor"], one["via"], one["kind"]) for one in found["record"]]
    table_or(("AT", "WHO", "VIA", "WHAT"), rows, "")


@silence.command("expire")
@click.argument("silence_id", metavar="ID")
@talking
def expire(silence_id: str, url: str | None, as_json: bool) -> None:
    """End a silence now; ID may be its first letters. What it held back and still fires is heard at once.

    \b
    Example:
      shopwatch silence expire 3f6c1c1e
    """
    client = Shopwatch(url)
    whole = _whole_id(client, silence_id)
    client.call("DELETE", f"/api/v2/silence/{whole}")
    found = client.get(f"/api/v2/silence/{whole}")
    if as_json:
        emit_json(found)
        return
    click.echo(f"{found['id']}: {found['status']['state']}")


@click.group()
def maintenance() -> None:
    """See the maintenance windows of shopwatch.yaml.

    \b
    Example:
      shopwatch maintenance list
    """


@maintenance.command("list")
@talking
def maintenance_list(url: str | None, as_json: bool) -> None:
    """List the maintenance windows that are open or to come.

    \b
    Example:
      shopwatch maintenance list
    """
    found = Shopwatch(url).get("/api/v1/maintenance")
    if as_json:
        emit_json(found)
        return
    rows = [
        (
            one["name"],
            "open" if one["open"] else "to come",
            local_time(one["starts_at"]),
            local_time(one["ends_at"]),
            one["cron"] or "",
            ", ".join([*one["services"], *one["journeys"]]),
        )
        for one in found
    ]
    table_or(("NAME", "STATE", "FROM", "UNTIL", "CRON", "OF"), rows, "No maintenance is planned.")
