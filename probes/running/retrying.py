"""Cleaning up once more after a run that is long over, from what the ledger holds."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from probes.errors import ProbesError
from probes.language.journey import Journey
from probes.language.values import to_text
from probes.running.accounts import Lease, NoFreeAccount
from probes.running.claims import Claim
from probes.running.cleaning import clean_up, record
from probes.running.context import RunContext
from probes.running.ledger import Entry
from probes.running.leftovers import Cleaned, account_of, obstacle
from probes.running.run import Run, known_secrets, new_session, start_values

log = logging.getLogger(__name__)

PATIENCE_S = 2.0  # for a free account: runs come first


async def undo(run_id: str, journeys: Mapping[str, Journey], context: RunContext) -> bool:
    """Tries what is open of one run, as far as that is not in vain. False where it is not our turn: the run still goes
    on, somebody else is at it, or its account is in use.

    Raises OSError and LedgerUnwritable where the state folder cannot be written to. Cancelling it gives all back.
    """
    claim = await asyncio.to_thread(context.claims.take, run_id)
    if claim is None:
        return False
    settled = False
    try:
        left = [entry for entry in await asyncio.to_thread(context.ledger.leftovers) if entry.run_id == run_id]
        settled = not left
        entries = [entry for entry in left if obstacle(entry, journeys) is None]
        if entries:
            made = await _clean(entries, journeys[entries[0].journey], context, claim)
            if made is None:
                return False
            settled = len(entries) == len(left) and not any(entry.open for entry in made)
    finally:
        claim.release(settled=settled)
    return True


async def _clean(entries: Sequence[Entry], journey: Journey, context: RunContext, claim: Claim) -> list[Entry] | None:
    """The entries as they are afterwards; None where their account was not free."""
    try:
        lease = await _lease(entries[0], journey, context)
    except NoFreeAccount:
        return None
    try:
        run = _run(entries, journey, context, claim)
        await clean_up(run)
        return run.made
    except ProbesError as error:  # of the journey itself: `vars` that fail, a base that is none
        return await asyncio.to_thread(_failed, entries, journey, context, str(error))
    finally:
        if lease is not None:
            lease.release()


async def _lease(entry: Entry, journey: Journey, context: RunContext) -> Lease | None:
    if account_of(entry, journey) is None:
        return None
    assert entry.account is not None
    return await context.accounts.lease([entry.account], asyncio.get_running_loop().time() + PATIENCE_S)


def _run(entries: Sequence[Entry], journey: Journey, context: RunContext, claim: Claim) -> Run:
    """As the run was when its steps had ended: its id, its account, what it had saved. Raises ProbesError."""
    account = account_of(entries[0], journey)
    values = start_values(journey, context, entries[0].run_id, account)
    run = Run(
        journey=journey,
        context=context,
        id=entries[0].run_id,
        deadline=0.0,  # cleanup has one of its own
        values=values,
        session=new_session(journey, context, entries[0].run_id, account),
        account=account,
        made=list(entries),
    )
    run.secrets = known_secrets(journey, values, account)
    for entry in entries:
        _restore(run, entry.saved)
    kept = claim.kept()
    _restore(run, kept)
    for value in kept.values():
        run.secrets.setdefault(to_text(value), "")
    return run


def _restore(run: Run, saved: Mapping[str, Any]) -> None:
    for name, value in saved.items():
        run.values[name] = value
        if name in run.journey.vars:
            run.values["vars"][name] = value
        else:
            run.saved[name] = value


def _failed(entries: Sequence[Entry], journey: Journey, context: RunContext, why: str) -> list[Entry]:
    now = context.now()
    cleaned = [Cleaned(frozenset(), failed=context.environment.masker()(why)[:300])]
    return [record(entry, journey, context, cleaned, began=now) for entry in entries]
