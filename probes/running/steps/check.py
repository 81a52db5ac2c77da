"""`check`: something that must be true of what was read so far."""

from typing import Any

from probes.language.kinds import Step
from probes.language.values import describe
from probes.result import Reason
from probes.running.failure import Failed
from probes.running.run import Run

_FALSE_TEXTS = ("", "0", "false", "no", "off", "none", "null")


async def perform(step: Step, run: Run, deadline: float) -> None:
    assert step.check is not None
    value = run.render(step.check)
    if not is_true(value):
        raise Failed(Reason.VALUE, step.check.source, _seen(step, run, value))


def is_true(value: Any) -> bool:
    """Text counts as what it says: a template with anything around its braces always makes text."""
    return value.strip().lower() not in _FALSE_TEXTS if isinstance(value, str) else bool(value)


def _seen(step: Step, run: Run, value: Any) -> str:
    """The values that the check names, so that nobody has to guess which one was wrong."""
    assert step.check is not None
    names = sorted(step.check.names & run.values.keys(), key=step.check.source.find)
    named = [f"{name} = {describe(run.values[name])}" for name in names]
    return ", ".join(named) or describe(value)
