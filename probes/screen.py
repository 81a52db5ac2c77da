"""How results look in a terminal, and as JSON."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from probes.duration import format_duration
from probes.language.journey import Journey
from probes.result import PHASES, Outcome, Reason, Result, Step
from probes.running.session import Hop
from probes.terminal import clean, local_time, paint, table
from probes.waterfall import around, milliseconds, waterfall

_NAME = 60  # of a step in a table; its whole name stands where it says why it failed


def last_results(state: Path, journeys: Iterable[Journey]) -> list[dict[str, Any]]:
    """One row a journey. `last`: the outcome of the last run that a prober of this workspace made, or `prober` where it
    failed for the prober's own trouble; `last_at` (UTC)."""
    known = _remembered(state)
    return [
        {
            "journey": journey.name,
            "service": journey.service,
            "every_s": journey.every,
            "mutates": journey.mutates,
            "file": str(journey.file),
            "last": outcome,
            "last_at": at.isoformat() if at is not None else None,
        }
        for journey in journeys
        for outcome, at in [known.get(journey.name, (None, None))]
    ]


def list_table(rows: Sequence[dict[str, Any]]) -> None:
    cells = [
        (
            row["journey"],
            row["service"],
            format_duration(row["every_s"]),
            row["last"] or "-",
            local_time(row["last_at"]),
        )
        for row in rows
    ]
    table(("JOURNEY", "SERVICE", "EVERY", "LAST", "AT"), cells)


def _remembered(state: Path) -> dict[str, tuple[str, datetime]]:
    """By journey: the last outcome and when, over all locations. The prober keeps only what was not up at length."""
    found: dict[str, tuple[str, datetime]] = {}
    for path in sorted(state.glob("prober/*/state.json")):
        try:
            data = json.loads(path.read_bytes())
            for name, seconds in data["last_runs"].items():
                at = datetime.fromtimestamp(seconds, UTC)
                history = data["states"].get(name, {}).get("history")
                outcome = str(history[-1][0]) if history else str(Outcome.UP)
                if name in data.get("unsaid", ()):
                    outcome = str(Reason.PROBER)
                if name not in found or found[name][1] < at:
                    found[name] = (outcome, at)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            click.echo(f"{path} cannot be read; the last results of that prober are not shown", err=True)
    return found


def result_json(result: Result, hops: Sequence[Hop] | None) -> dict[str, Any]:
    document = result.to_json()
    if hops is not None:
        document["trace"] = [
            {"step": hop.step, "method": hop.method, "url": hop.url, "status": hop.status, "phases": hop.phases}
            for hop in hops
        ]
        for shown, step in zip(document["steps"] + document["cleanup"], (*result.steps, *result.cleanup), strict=True):
            shown["around"] = step.around
    return document


def print_result(result: Result, hops: Sequence[Hop]) -> None:
    account = f", as {clean(result.account)}" if result.account else ""
    took = milliseconds(result.duration_s)
    click.echo(f"{clean(result.journey)} is {paint(str(result.outcome))} after {took}{account}, run {result.run_id}\n")
    _steps("STEP", result.steps)
    if result.cleanup:
        click.echo()
        _steps("CLEANUP", result.cleanup)
    for name, number in result.measured.items():
        click.echo(f"\nmeasured  {clean(name)} = {number:.10g}")
    if result.held_back is not None:
        held = result.held_back
        why = f"it goes as deep as {held.mutates}, and no run may write deeper than {held.limit}"
        click.echo(f"\n{clean(held.step)}: not sent, nor what comes after it: {why}")
    for step in (*result.steps, *result.cleanup):
        if step.reason is not None:
            _why(step)
    if hops:
        waterfall(result, hops)


def _steps(title: str, steps: Sequence[Step]) -> None:
    phases = [phase for phase in PHASES if any(phase in step.phases for step in steps)]
    rows = [
        (
            step.name if len(step.name) <= _NAME else step.name[: _NAME - 1] + "…",
            step.outcome,
            step.reason or "",
            step.status or "",
            "" if step.outcome is Outcome.SKIPPED else milliseconds(step.duration_s),
            *(milliseconds(step.phases[phase]) if phase in step.phases else "" for phase in phases),
            f"{step.attempts} attempts" if step.attempts > 1 else "",
        )
        for step in steps
    ]
    table((title, "OUTCOME", "REASON", "STATUS", "TIME", *(phase.upper() for phase in phases), ""), rows)


def _why(step: Step) -> None:
    click.echo(f"\n{clean(step.name)}: {paint(str(step.outcome))}, {step.reason}")
    for label, text in (("expected", step.expected), ("seen", step.seen), ("repeat", step.curl)):
        if text:
            click.echo(f"  {label:8}  {_indented(text)}")
    if step.around:
        around(step.around)


def _indented(text: str) -> str:
    return clean(text, keep="\n").replace("\n", "\n" + " " * 12)
