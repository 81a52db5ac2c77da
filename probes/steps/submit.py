"""`submit`: the form on the page last read, filled in and sent as a browser would."""

from probes.answer import Answer
from probes.failure import Failed
from probes.kinds import Step
from probes.result import Reason
from probes.run import Run


async def perform(step: Step, run: Run, deadline: float) -> Answer:
    assert step.submit is not None
    if run.page is None:
        raise Failed(Reason.HTML, f"the form {step.submit}", "no HTML page was read before this step")
    raise Failed(Reason.HTML, f"the form {step.submit}", "not there")
