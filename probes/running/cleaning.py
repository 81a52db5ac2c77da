"""`cleanup`: after the steps, however they ended, a fresh session undoes what they did.

What fails here changes no outcome: it is in the result's `cleanup`, and in the ledger.
"""

import asyncio
import logging
from collections.abc import Sequence

from probes.language.kinds import Step as StepModel
from probes.result import Outcome, Reason, Step
from probes.running.ledger import LedgerUnwritable
from probes.running.making import needs
from probes.running.performing import perform_step, skipped
from probes.running.run import Run, new_session

log = logging.getLogger(__name__)

BACK_OFF_S = (0.25, 1.0)  # waits before a failed step is tried again

_OWN_FAULTS = (Reason.CONFIG, Reason.PROBER)


async def clean_up(run: Run) -> list[Step]:
    """Takes at most as long again as the journey's timeout."""
    loop = asyncio.get_running_loop()
    trace = run.session.trace
    run.session = new_session(run.journey, run.context, run.id, run.account)
    run.session.trace, run.page = trace, None
    run.deadline = loop.time() + run.journey.timeout
    try:
        steps, missing = await _steps(run, run.journey.cleanup)
    finally:
        await run.session.close()
    if run.made:
        await asyncio.to_thread(_record, run, steps, missing)
    return steps


async def _steps(run: Run, models: Sequence[StepModel]) -> tuple[list[Step], bool]:
    """The records, and whether any step was left out because the run never came to save what it needs.

    Such a step has nothing to undo; nor has a form after it, until another page was read.
    """
    steps: list[Step] = []
    missing = without_page = False
    for model in models:
        if any(step.outcome is Outcome.DOWN for step in steps):
            steps.append(skipped(model, run.journey))
        elif not needs(model) <= run.values.keys() or (without_page and model.kind == "submit"):
            missing = without_page = True
            steps.append(skipped(model, run.journey))
        else:
            without_page = False if model.kind == "http" else without_page
            steps.append(await _persistently(model, run))
    return steps, missing


async def _persistently(model: StepModel, run: Run) -> Step:
    """Tried again after a short wait, on the page where it began. An attempt may take half of the time that is left:
    a request that hangs leaves some for the next."""
    loop = asyncio.get_running_loop()
    page = run.page
    for attempt, wait in enumerate((*BACK_OFF_S, None), start=1):
        run.page = page
        left = run.deadline - loop.time()
        step = await perform_step(model, run, run.deadline if wait is None else run.deadline - left / 2)
        step.attempts = max(step.attempts, attempt)
        if step.outcome is not Outcome.DOWN or step.reason in _OWN_FAULTS or wait is None:
            break
        if loop.time() + wait >= run.deadline:
            break
        await asyncio.sleep(wait)
    return step


def _record(run: Run, steps: Sequence[Step], missing: bool) -> None:
    failed = next((step for step in steps if step.outcome is Outcome.DOWN), None)
    if failed is None and missing:
        return
    for entry in run.made:
        if not entry.open:
            continue
        try:
            if failed is None:
                run.context.ledger.record(entry, "undone", run.context.now())
            else:
                detail = f"{failed.name}: {failed.reason}"
                run.context.ledger.record(entry, "failed", run.context.now(), detail=detail)
        except LedgerUnwritable as error:
            log.error("ledger entry %s stays %s: %s", entry.id, entry.state, error)
