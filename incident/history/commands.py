"""`shopwatch probe show`: how a journey did, from the daemon's history."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import click

from incident.screen import Shopwatch, short, talking
from probes.terminal import clean, emit_json, local_time, paint, table

_HOURS = timedelta(hours=60)  # up to so long a time is shown by hours, a longer one by days
_FAILURES = 10
_STEPS = 5


def _since(text: str) -> datetime:
    """`24h` ago, or an instant in ISO 8601."""
    from probes.duration import parse_duration

    now = datetime.now(UTC)
    try:
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        pass
    try:
        found = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is neither a duration such as 24h or 7d nor a date or time") from None
    if found > now:
        raise click.BadParameter(f"{text} is still to come")
    return found


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--since", default="24h", show_default=True, help="How far back: 24h, 30d, or a date or time.")
@click.option("--location", metavar="NAME", help="Only runs from there. Default: all locations together.")
@talking
def show(name: str, since: str, location: str | None, url: str | None, as_json: bool) -> None:
    """How a journey did: uptime, how long it took, which steps failed and when, what is left of its error budget.

    \b
    Example:
      shopwatch probe show checkout --since 7d
    """
    begin, end = _since(since), datetime.now(UTC)
    step = "hour" if end - begin <= _HOURS else "day"
    base = f"/api/v1/journeys/{quote(name, safe='')}"
    ask = Shopwatch(url)
    found = ask.get(base, since=begin.isoformat(), location=location)
    where = {"from": begin.isoformat(), "step": step, "location": location}
    points = ask.get(f"{base}/history", **where)
    failures = ask.get(f"{base}/runs", since=begin.isoformat(), failed="true", limit=_FAILURES, location=location)[
        "runs"
    ]
    if as_json:
        emit_json({**found, "step": step, "history": points, "failures": failures})
        return
    from incident.history.sparks import Chart

    _print(found, Chart.of(points, begin, end, step, sys.stdout.encoding))
    _failures(failures)


def _print(found: dict[str, Any], chart: Any) -> None:
    click.echo(click.style(clean(found["journey"]), bold=True) + f", since {local_time(found['since'])}")
    for last in found["last"]:
        at = clean(str(last.get("location") or "local"))
        said = ", ".join(f"{clean(name)} = {number:.10g}" for name, number in last.get("measured", {}).items())
        measured = f", measured {said}" if said else ""
        click.echo(f"  {paint(last['outcome'])} at {at} since {local_time(last['since'])}{measured}")
    if not found["runs"]:
        click.echo("  No runs that count.")
        return
    unjudged = f", {found['unjudged']:,} not counted" if found["unjudged"] else ""
    took = ", ".join(f"{name} {_time(found[f'{name}_s'])}" for name in ("p50", "p95", "p99"))
    lines = [
        ("uptime", chart.uptime, f"{found['uptime']:.3%} of {found['runs']:,} runs{unjudged}"),
        ("p95", chart.p95, f"{took} (to {found['percentile_error']:.0%})"),
    ]
    for item in found["failing"][:_STEPS]:
        what = f"{short(item['step'], 40)}, {item['reason'] or 'no reason'}"
        lines.append(("failing", chart.failing(item["step"], item["reason"]), f"{item['count']:,} times {clean(what)}"))
    for name, spark, text in lines:
        click.echo(f"  {name:<8} {spark}  {text}")
    for budget in found["budgets"]:
        _budget(budget)


def _budget(budget: dict[str, Any]) -> None:
    from probes.slo import format_slo

    whose = "" if budget["journey"] else f" of service {clean(budget['service'])}"
    left = f"{budget['remaining']:.1%} left" if budget["remaining"] >= 0 else "used up"
    allowed = f"{budget['allowed']:,.1f} allowed by {format_slo(budget['slo'])}"
    text = f"{left}: {budget['down']:,} runs down in 30 days, {allowed}"
    click.echo(f"  {'budget':<8} {click.style(text, fg='red') if budget['remaining'] <= 0 else text}{whose}")


def _failures(results: list[dict[str, Any]]) -> None:
    if not results:
        return
    click.echo()
    rows = []
    for result in results:
        bad: dict[str, Any] = next(
            (step for word in ("down", "degraded") for step in result["steps"] if step["outcome"] == word), {}
        )
        rows.append(
            (
                local_time(result["started_at"]),
                result.get("location") or "local",
                result["outcome"],
                short(str(bad.get("name") or ""), 30),
                bad.get("reason") or "",
                short(str(bad.get("seen") or ""), 60),
                result["run_id"],
            )
        )
    table(("FAILED AT", "LOCATION", "OUTCOME", "STEP", "REASON", "SEEN", "RUN"), rows)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
