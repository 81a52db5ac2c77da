"""How each kind of step is performed. A new kind is one file here and one line in PERFORM."""

from collections.abc import Awaitable, Callable, Mapping

from probes.language.kinds import Step
from probes.running.answer import Answer
from probes.running.run import Run
from probes.running.steps import check, http, submit

Perform = Callable[[Step, Run, float], Awaitable[Answer | None]]
"""Takes the step, its run and its deadline (loop.time()); raises Failed, TransportError or another ProbesError.

The answer is what expectations, `until` and `save` look at; None where there is nothing to look at.
"""

PERFORM: Mapping[str, Perform] = {
    "http": http.perform,
    "submit": submit.perform,
    "check": check.perform,
}
