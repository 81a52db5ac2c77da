"""One step of a run, from `when` to its record: asked once or until it holds, judged, saved from, timed."""

import asyncio
import logging
import math

from probes.duration import format_duration
from probes.errors import ProbesError
from probes.files.settings import MUTATES
from probes.http import TransportError
from probes.language.journey import Journey
from probes.language.kinds import Step as StepModel
from probes.language.levels import deeper, level_of
from probes.result import HeldBack, Outcome, Reason, Step
from probes.running.accounts import NoFreeAccount
from probes.running.around import around
from probes.running.evidence import tokens_in
from probes.running.failure import Failed, bare
from probes.running.ledger import LedgerUnwritable
from probes.running.making import recorded
from probes.running.measured import Measured
from probes.running.measured import judge as judge_measured
from probes.running.reading.looking import keep, look
from probes.running.run import Run
from probes.running.steps import PERFORM
from probes.running.steps.check import is_true

log = logging.getLogger(__name__)

GRACE_S = 0.25  # past a deadline, for what does not keep to it by itself
ATTEMPT_S = 10.0  # the longest that one attempt of an `until` may take where it sets no `timeout`

_EXPECTED = {
    Reason.DNS: "an address for the host",
    Reason.CONNECT: "a connection",
    Reason.TLS: "a TLS session that can be trusted",
    Reason.TIMEOUT: "an answer in time",
    Reason.STATUS: "an answer in HTTP",
    Reason.HEADER: "a header in HTTP",
    Reason.BODY: "a body that is what its header says",
    Reason.CONFIG: "a request that can be sent",
}


async def perform_step(model: StepModel, run: Run, deadline: float) -> Step:
    """Its record; raises only when cancelled. `deadline` (loop.time()) is the run's, the step's own may be sooner."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    step = Step(model.name, model.service or run.journey.service, Outcome.UP)
    run.session.begin(model.name)
    run.command = []
    end, left = deadline, deadline - started
    if model.timeout is not None and model.until is None:
        deadline = min(deadline, started + model.timeout)
    try:
        async with asyncio.timeout_at(deadline + GRACE_S):
            await _perform(model, run, step, deadline)
    except Exception as error:  # noqa: BLE001 - whatever it is, it becomes the step's reason
        trouble(step, error)
        bare(error)
        _tell_who_took_the_time(model, run, step, left)
        if _waiting_took_the_time(model, run, step, left) and loop.time() >= end - left / 10:
            step.reason = Reason.PROBER
    step.duration_s = loop.time() - started
    _show(model, step, run)
    return step


async def _perform(model: StepModel, run: Run, step: Step, deadline: float) -> None:
    if (model.when is not None and not is_true(run.render(model.when))) or _is_held_back(model, run):
        step.outcome = Outcome.SKIPPED
    elif model.creates is not None:
        async with recorded(model, run, step):
            await _ask(model, run, step, deadline)
    else:
        await _ask(model, run, step, deadline)


def _is_held_back(model: StepModel, run: Run) -> bool:
    """What goes deeper than the run may is not sent; nor can anybody tell what the steps after it would find."""
    if run.limit in (None, MUTATES[-1]) or not deeper(level := level_of(model, run.journey), run.limit):
        return False
    run.held_back = HeldBack(model.name, level, run.limit)
    return True


async def _ask(model: StepModel, run: Run, step: Step, deadline: float) -> None:
    if model.until is None:
        await _once(model, run, step, deadline)
    else:
        await _until(model, run, step, deadline)


async def _once(model: StepModel, run: Run, step: Step, deadline: float) -> None:
    """Raises Failed, TransportError, TemplateFailed. Whatever can be saved is saved, for cleanup, even so."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    step.phases, step.status = run.session.spent, None
    answer = await PERFORM[model.kind](model, run, deadline)
    if answer is None:
        return
    seconds = loop.time() - started
    if isinstance(answer, Measured):
        judge_measured(model, run, answer)
        _judge_time(model, step, seconds)
        return
    step.status = answer.status
    keep(model, run, await look(model, run, answer, deadline))
    _judge_time(model, step, seconds)


def shown_time(seconds: float) -> str:
    """Up to the next millisecond, so that a time past its limit never reads as the limit itself."""
    return format_duration(math.ceil(seconds * 1000) / 1000)


def _judge_time(model: StepModel, step: Step, seconds: float) -> None:
    for expect in (model.expect, model.until):
        slower = expect.slower_than if expect is not None else None
        if slower is None:
            continue
        took = shown_time(seconds)
        if slower.down is not None and seconds > slower.down:
            raise Failed(Reason.LATENCY, f"at most {format_duration(slower.down)}", took, step.status)
        if slower.degraded is not None and seconds > slower.degraded:
            step.outcome, step.reason = Outcome.DEGRADED, Reason.LATENCY
            step.expected, step.seen = f"at most {format_duration(slower.degraded)}", took


async def _until(model: StepModel, run: Run, step: Step, deadline: float) -> None:
    """Polls through failed expectations and transport errors alike. Raises Failed (freshness) when time is up."""
    assert model.within is not None
    loop = asyncio.get_running_loop()
    end = min(loop.time() + model.within, deadline)
    patience = model.timeout or max(ATTEMPT_S, model.within / 2)
    page, unmet = run.page, None
    last: Failed | TransportError | None = None
    for attempt in range(1, 1_000_000):
        step.attempts, run.page = attempt, page
        run.session.again()
        try:
            return await _once(model, run, step, min(end, loop.time() + patience))
        except (Failed, TransportError) as error:
            if error.reason is Reason.CONFIG:
                raise
            bare(error)
            if last is None or error.reason is not Reason.TIMEOUT or loop.time() < end:
                last = error  # one that only ran out of our time hides nothing that was seen before
            unmet = error if isinstance(error, Failed) else unmet
        if loop.time() + 0.001 < end:
            await asyncio.sleep(max(0.0, min(model.poll, end - loop.time())))
        if loop.time() + 0.001 >= end:
            break
    assert last is not None
    expected = unmet.expected if unmet is not None else "an answer"
    seen = last.seen if isinstance(last, Failed) else last.message
    times = "1 attempt" if step.attempts == 1 else f"{step.attempts} attempts"
    raise Failed(
        Reason.FRESHNESS, f"{expected} within {format_duration(model.within)}", f"after {times}: {seen}", last.status
    )


def _tell_who_took_the_time(model: StepModel, run: Run, step: Step, left: float) -> None:
    """A step that was cut short because those before it took the run's time is not the slow one. `left`: in seconds."""
    wanted = model.within or model.timeout or run.journey.timeout * 0.9
    if step.reason in (Reason.TIMEOUT, Reason.FRESHNESS) and left < wanted:
        whole = format_duration(run.journey.timeout)
        waited = f", {run.waited:.2g} s had gone by waiting for a free account" if run.waited > left else ""
        step.seen = f"{step.seen} (only {max(left, 0):.2g} s of the run's {whole} were left for it{waited})"


def _waiting_took_the_time(model: StepModel, run: Run, step: Step, left: float) -> bool:
    """Whether it is no fault of the shop's that the step was cut short: most of the run's time had gone by waiting for
    a free account, and what was `left` (seconds) is less than such a step has otherwise."""
    usual = model.within or model.timeout or run.journey.timeout / 2
    timed_out = step.reason in (Reason.TIMEOUT, Reason.FRESHNESS)
    return timed_out and run.waited > run.journey.timeout / 2 and left < usual


def skipped(model: StepModel, journey: Journey) -> Step:
    return Step(model.name, model.service or journey.service, Outcome.SKIPPED)


def trouble(step: Step, error: Exception) -> None:
    """Turns what was raised into the step's outcome. `expected` and `seen` are masked and cut afterwards."""
    step.outcome = Outcome.DOWN
    if isinstance(error, Failed):
        step.reason, step.expected, step.seen = error.reason, error.expected, error.seen
        step.status = error.status or step.status
    elif isinstance(error, TransportError):
        step.reason, step.expected, step.seen = error.reason, _EXPECTED.get(error.reason, "an answer"), error.message
        step.status = error.status
    elif isinstance(error, TimeoutError):
        step.reason, step.expected, step.seen = Reason.TIMEOUT, "an answer in time", "none"
    else:
        step.reason, step.expected, step.seen = _ours(error)


def _ours(error: Exception) -> tuple[Reason, str, str]:
    """Trouble that the target has no part in."""
    if isinstance(error, NoFreeAccount):
        return Reason.PROBER, "a free account in time", str(error)
    if isinstance(error, LedgerUnwritable | OSError):
        return Reason.PROBER, "a state folder that can be written to", str(error)
    if isinstance(error, ProbesError):
        return Reason.CONFIG, "a template that can be rendered", str(error)
    log.error("a fault of the prober", exc_info=error)
    return Reason.PROBER, "no fault in the prober", f"{type(error).__name__}: {error}"


def _show(model: StepModel, step: Step, run: Run) -> None:
    """Makes the record fit to be shown: secrets masked first, then cut to size."""
    step.url = run.shown_url()
    if step.reason is not None:
        masker = run.masker()
        for token in tokens_in(step.seen or ""):
            masker.add(token)
        if run.session.trace is not None:
            step.around = around(model, run, step.expected or "", masker)
        step.expected = masker.clip(step.expected or "")
        step.seen = masker.clip(step.seen or "")
        step.curl = run.curl(masker)
