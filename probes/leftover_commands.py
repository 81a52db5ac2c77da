"""`shopwatch probe leftovers`: what runs could not undo; try it now; say that one is taken care of."""

import sys
from typing import TYPE_CHECKING, Any

import click

from probes.terminal import NOT_WELL, REFUSED, USAGE, clean, emit_json, fail, json_option, local_time, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from probes.files.workspace import Workspace
    from probes.language.journey import Journey
    from probes.running.claims import Claims
    from probes.running.ledger import Entry, Ledger

_SHORTEST_ID = 4  # characters of an id that are enough, where they are no other's


@click.command()
@click.option("--retry", "--undo", "retry", is_flag=True, help="Clean up now, instead of when it is due.")
@click.option("--settle", metavar="ID", help="Takes one from the list: somebody has looked after it. Needs --comment.")
@click.option("--comment", metavar="TEXT", help="Why it can be taken from the list.")
@json_option
def leftovers(retry: bool, settle: str | None, comment: str | None, as_json: bool) -> None:
    """What journeys made in the shop and could not undo, and what nobody knows whether it was made.

    A running prober tries again by itself, after 10 seconds, 20, 40 … an hour. Exit code 0, whatever is listed; with
    --retry 1 where something is still left. 4: there is no such ID, or its run goes on.

    \b
    Example:
      shopwatch -w myshop probe leftovers
      shopwatch probe leftovers --retry
      shopwatch probe leftovers --settle 1f0c --comment "cancelled by hand"
    """
    from probes.commands import workspace_here
    from probes.running.claims import Claims
    from probes.running.ledger import Ledger

    if (settle is None) != (comment is None) or (retry and settle):
        fail("--settle ID and --comment TEXT belong together, without --retry", USAGE)
    workspace = workspace_here()
    state = workspace.dir / ".shopwatch"
    ledger, claims = Ledger(state / "ledger.jsonl"), Claims(state / "claims")
    journeys = {journey.name: journey for journey in workspace.journeys()[0]}
    if settle is not None and comment is not None:
        _settle(settle, comment, ledger, claims)
    if retry:
        _retry(workspace, journeys)
    rows = _rows(ledger, claims, journeys)
    _show(rows, as_json)
    sys.exit(NOT_WELL if retry and rows else 0)


def _rows(ledger: "Ledger", claims: "Claims", journeys: "Mapping[str, Journey]") -> list[dict[str, Any]]:
    """Without what belongs to runs that go on: nobody knows yet what they will leave. What was tried before is no such
    thing, though somebody may be trying it once more right now."""
    from probes.running.leftovers import obstacle

    rows = []
    for entry in ledger.leftovers():
        if entry.attempts == 0 and claims.taken(entry.run_id):
            continue
        why = obstacle(entry, journeys)
        due = entry.next_attempt or entry.began
        rows.append(
            {
                "id": entry.id,
                "journey": entry.journey,
                "step": entry.step,
                "value": entry.value,
                "account": entry.account,
                "run_id": entry.run_id,
                "state": entry.left,
                "since": entry.began.isoformat(),
                "at": entry.at,
                "attempts": entry.attempts,
                "next_attempt": due.isoformat() if why is None else None,
                "trouble": why or entry.detail,
            }
        )
    return rows


def _show(rows: "Sequence[dict[str, Any]]", as_json: bool) -> None:
    if as_json:
        emit_json(rows)
        return
    if not rows:
        click.echo("Nothing is left in the shop.")
        return
    cells = [
        (
            row["id"],
            row["journey"],
            row["step"],
            row["value"] or "-",
            row["account"] or "-",
            row["state"],
            local_time(row["since"]),
            row["attempts"],
            local_time(row["next_attempt"]) or "never",
        )
        for row in rows
    ]
    table(("ID", "JOURNEY", "STEP", "VALUE", "ACCOUNT", "STATE", "SINCE", "ATTEMPTS", "NEXT"), cells)
    for row in rows:
        if row["trouble"]:
            click.echo(f"{row['id']}: {clean(row['trouble'])}")


def _retry(workspace: "Workspace", journeys: "Mapping[str, Journey]") -> None:
    import asyncio

    from probes.errors import ProbesError

    try:
        skipped = asyncio.run(_undo_all(workspace, journeys))
    except (ProbesError, OSError) as error:
        fail(str(error), NOT_WELL)
    for run_id in skipped:
        click.echo(f"run {clean(run_id)}: a prober is at it, or its account is in use; try again", err=True)


async def _undo_all(workspace: "Workspace", journeys: "Mapping[str, Journey]") -> list[str]:
    """The runs whose turn it was not."""
    from probes.running.context import RunContext
    from probes.running.retrying import undo

    context = RunContext(workspace.state, workspace.env)
    try:
        runs = dict.fromkeys(entry.run_id for entry in context.ledger.leftovers())
        return [run_id for run_id in runs if not await undo(run_id, journeys, context)]
    finally:
        await context.aclose()


def _settle(wanted: str, comment: str, ledger: "Ledger", claims: "Claims") -> None:
    import getpass
    from datetime import UTC, datetime

    from probes.running.ledger import LedgerUnwritable

    entry = _find(wanted, ledger.leftovers())
    try:
        claim = claims.take(entry.run_id)
        if claim is None:
            fail(f"{entry.id}: its run goes on, or a prober cleans up after it now; try again", REFUSED)
        others = [other for other in ledger.leftovers() if other.run_id == entry.run_id and other.id != entry.id]
        try:
            detail = f"{getpass.getuser()}: {comment}"[:1000]
            ledger.record(entry, "dismissed", datetime.now(UTC), detail=detail, due=None)
        finally:
            claim.release(settled=not others)
    except (LedgerUnwritable, OSError) as error:
        fail(str(error), NOT_WELL)
    click.echo(f"{entry.id} is taken from the list.", err=True)


def _find(wanted: str, entries: "Sequence[Entry]") -> "Entry":
    found = [entry for entry in entries if entry.id == wanted]
    if not found and len(wanted) >= _SHORTEST_ID:
        found = [entry for entry in entries if entry.id.startswith(wanted)]
    if not found:
        fail(f"There is no leftover {wanted!r}. `shopwatch probe leftovers` shows those there are.", REFUSED)
    if len(found) > 1:
        fail(f"{wanted!r} is the beginning of {len(found)} ids: say more of it", REFUSED)
    return found[0]
