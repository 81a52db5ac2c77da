"""`cleanup`: after the steps, however they ended, a fresh session undoes what they did.

What fails here changes no outcome: it is in the result's `cleanup`, and in the ledger.
"""

import asyncio
import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from probes.language.journey import Journey
from probes.language.kinds import Step as StepModel
from probes.result import Outcome, Reason, Step
from probes.running.context import RunContext
from probes.running.ledger import Entry, LedgerUnwritable
from probes.running.leftovers import Cleaned, after, own_names
from probes.running.making import named, needs
from probes.running.performing import perform_step, skipped
from probes.running.run import Run, new_session

log = logging.getLogger(__name__)

BACK_OFF_S = (0.25, 1.0)  # waits before a failed step is tried again

_OWN_FAULTS = (Reason.CONFIG, Reason.PROBER)


async def clean_up(run: Run) -> list[Step]:
    """Takes at most as long again as the journey's timeout."""
    loop = asyncio.get_running_loop()
    began = run.context.now()
    trace = run.session.trace
    run.session = new_session(run.journey, run.context, run.id, run.account)
    run.session.trace, run.page, run.asked, run.limit = trace, None, None, None
    run.deadline, run.waited = loop.time() + run.journey.timeout, 0.0
    try:
        steps, cleaned = await _steps(run, run.journey.cleanup)
    finally:
        await run.session.close()
    if run.made:
        await asyncio.to_thread(_record_all, run, cleaned, began)
    return steps


async def _steps(run: Run, models: Sequence[StepModel]) -> tuple[list[Step], list[Cleaned]]:
    """The records, and what became of each step. One is left out where the run never came to save what it needs: it has
    nothing to undo; nor has a form after it, until another page was read.

    `spared`: what only steps of the cleanup would have saved that found nothing to do. That is missed by nobody.
    """
    steps: list[Step] = []
    cleaned: list[Cleaned] = []
    without_page: AbstractSet[str] = frozenset()
    walked = {name for model in run.journey.steps for name in model.save}
    spared: set[str] = set()
    for model in models:
        missing = needs(model) - run.values.keys() or (without_page if model.kind == "submit" else frozenset())
        failed = None
        if missing:
            without_page = missing
            step = skipped(model, run.journey)
        else:
            without_page = frozenset() if model.kind == "http" else without_page
            step = await _persistently(model, run)
            if step.outcome is Outcome.SKIPPED and model.when is not None:
                missing = model.when.names - run.values.keys()  # `when: "{{ order is defined }}"`
            elif step.outcome is Outcome.DOWN:
                failed = f"{step.name}: {step.reason}" + (f" ({step.seen[:200]})" if step.seen else "")
        missing -= spared
        if step.outcome is Outcome.SKIPPED and not missing:
            spared |= model.save.keys() - walked
        steps.append(step)
        cleaned.append(Cleaned(named(model), missing, failed))
        if failed is not None:
            break
    return steps + [skipped(model, run.journey) for model in models[len(steps) :]], cleaned


async def _persistently(model: StepModel, run: Run) -> Step:
    """Tried again after a short wait, or the one that the shop asks for, on the page where it began. An attempt may
    take half of the time that is left: a request that hangs leaves some for the next."""
    loop = asyncio.get_running_loop()
    page = run.page
    for attempt, wait in enumerate((*BACK_OFF_S, None), start=1):
        run.page, run.asked = page, None
        left = run.deadline - loop.time()
        step = await perform_step(model, run, run.deadline if wait is None else run.deadline - left / 2)
        step.attempts = max(step.attempts, attempt)
        if step.outcome is not Outcome.DOWN or step.reason in _OWN_FAULTS or wait is None:
            break
        pause = max(wait, run.asked or 0.0)
        if loop.time() + pause >= run.deadline:
            break
        await asyncio.sleep(pause)
    return step


def _record_all(run: Run, cleaned: Sequence[Cleaned], began: datetime) -> None:
    for index, entry in enumerate(run.made):
        if not entry.open:
            continue
        try:
            run.made[index] = record(entry, run.journey, run.context, cleaned, began=began, asked=run.asked)
        except LedgerUnwritable as error:
            log.error("ledger entry %s stays %s: %s", entry.id, entry.state, error)


def record(
    entry: Entry,
    journey: Journey,
    context: RunContext,
    cleaned: Sequence[Cleaned],
    *,
    began: datetime,
    asked: float | None = None,
) -> Entry:
    """What has become of an entry goes to the ledger. Raises LedgerUnwritable."""
    now = context.now()
    state, changes = after(entry, own_names(entry, journey), cleaned, began=began, now=now, asked=asked)
    return context.ledger.record(entry, state, now, **changes)
