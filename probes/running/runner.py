"""Walks one journey: leases an account, performs the steps, cleans up, and says what it saw.

Never raises for anything that a target does. It is back within the journey's timeout, or twice that where there is
something to clean up.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from probes.language.journey import Account, Journey
from probes.language.kinds import Step as StepModel
from probes.language.naming import fixed_names
from probes.language.templates import TemplateFailed
from probes.result import Certificate, Outcome, Result, Step
from probes.running.accounts import Lease
from probes.running.cleaning import clean_up
from probes.running.context import RunContext
from probes.running.failure import bare
from probes.running.performing import perform_step, skipped, trouble
from probes.running.run import Run, known_secrets, new_session, start_values
from probes.running.session import Hop

log = logging.getLogger(__name__)

Trace = Callable[[Hop], None]

_WORST_FIRST = (Outcome.DOWN, Outcome.DEGRADED)


async def run_journey(
    journey: Journey,
    context: RunContext,
    *,
    location: str = "local",
    lag_s: float | None = None,
    trace: Trace | None = None,
) -> Result:
    """One run. `lag_s`: how late the scheduler starts it. `trace` is called after each exchange over the network.

    Cancelling it gives the account back, and what it may have made in the shop stays in the ledger.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    result = Result(
        journey=journey.name,
        service=journey.service,
        run_id=secrets.token_hex(8),
        outcome=Outcome.UP,
        started_at=context.now(),
        duration_s=0.0,
        labels=journey.labels,
        location=location,
        lag_s=lag_s,
        slo=journey.slo,
    )
    deadline = started + journey.timeout
    lease: Lease | None = None
    run: Run | None = None
    try:
        account = None
        if journey.accounts:
            lease = await context.accounts.lease([account.user for account in journey.accounts], deadline)
            result.account = lease.user
            account = journey.accounts[lease.index]
        run = _start(journey, context, result.run_id, account, deadline)
        run.waited = loop.time() - started
        run.session.trace = _masked(trace, run)
        await _walk(run, result)
    except Exception as error:
        if result.steps:  # they were done: what went wrong came after them
            log.error("journey %s: a fault of the prober after its steps", journey.name, exc_info=error)
        else:
            result.steps = _not_started(journey, error)
        bare(error)
    finally:
        if run is not None:
            run.session.trace = None  # which knows the run, so that each would keep the other in memory
            if run.claim is not None:
                run.claim.release(settled=not any(entry.open for entry in run.made))
        if lease is not None:
            lease.release()
    result.outcome = _worst(result.steps)
    result.duration_s = loop.time() - started
    return result


def _start(journey: Journey, context: RunContext, run_id: str, account: Account | None, deadline: float) -> Run:
    values = start_values(journey, context, run_id, account)
    session = new_session(journey, context, run_id, account)
    run = Run(journey, context, run_id, deadline, values, session, account, limit=context.mutates)
    run.secrets = known_secrets(journey, values, account)
    return run


def _masked(trace: Trace | None, run: Run) -> Trace | None:
    if trace is None:
        return None
    return lambda hop: trace(replace(hop, url=run.masker()(hop.url)))


async def _walk(run: Run, result: Result) -> None:
    try:
        result.steps = await _steps(run, run.journey.steps)
        result.measured = run.measured() if _worst(result.steps) is not Outcome.DOWN else {}
    finally:
        ends = run.session.certificates
        result.certificate = Certificate(*min(ends.items(), key=lambda item: item[1])) if ends else None
        await run.session.close()
    result.held_back, result.retry_after_s = run.held_back, run.asked if result.failed else None
    if run.journey.cleanup and (run.answered or any(entry.open for entry in run.made)):
        result.cleanup = await clean_up(run)
    _name(run, result.steps, run.journey.steps)
    _name(run, result.cleanup, run.journey.cleanup)


def _name(run: Run, steps: Sequence[Step], models: Sequence[StepModel]) -> None:
    """Steps whose name is a template get it as it reads with `vars` and the account; others keep what the file says.

    There are no `steps` where cleanup had nothing to do."""
    fixed = fixed_names(run.journey)
    for step, model in zip(steps, models, strict=False):
        if model.named is None or not model.named.names <= fixed:
            continue
        account = run.account.values() if run.account is not None else {}
        seen = {**run.values["vars"], "vars": run.values["vars"], "account": account}
        with suppress(TemplateFailed):
            step.name = run.masker()(model.named.text(seen))[:200] or step.name


async def _steps(run: Run, models: Sequence[StepModel]) -> list[Step]:
    """The steps up to the first that is down or held back; those after it are skipped."""
    steps: list[Step] = []
    for model in models:
        if run.held_back is not None or (steps and steps[-1].outcome is Outcome.DOWN):
            break
        steps.append(await perform_step(model, run, run.deadline))
    return steps + [skipped(model, run.journey) for model in models[len(steps) :]]


def _not_started(journey: Journey, error: Exception) -> list[Step]:
    """The run failed before its first step: that one carries the reason."""
    first, *others = journey.steps
    step = skipped(first, journey)
    trouble(step, error)
    return [step, *(skipped(model, journey) for model in others)]


def _worst(steps: Sequence[Step]) -> Outcome:
    outcomes = {step.outcome for step in steps}
    return next((outcome for outcome in _WORST_FIRST if outcome in outcomes), Outcome.UP)
