"""A step looks at its answer: here and now where that is quick, else by way of a reader."""

from probes.language.kinds import Step
from probes.pages.forms import Submission
from probes.running.answer import Answer
from probes.running.failure import Failed
from probes.running.reading.inspection import Inspected, Questions, fill_in, inspect
from probes.running.reading.weight import is_heavy, is_heavy_page, touches_body
from probes.running.run import Run


async def look(model: Step, run: Run, answer: Answer, deadline: float) -> Inspected:
    """Judges the answer and finds what is to be saved. Raises Failed where it cannot be read in time."""
    questions = Questions(model.expect, model.until, model.save)
    now = run.context.now()
    if not is_heavy(answer, questions):
        return inspect(questions, answer, run.values, now)
    if not touches_body(questions):  # only what goes wrong has to be shown
        answer.unshown = True
        inspected = inspect(questions, answer, run.values, now)
        answer.unshown = False
        if inspected.failure is None and not inspected.lacking:
            return inspected
    return await run.context.readers.inspect(
        questions, answer, run.values, now, journey=run.journey.name, deadline=deadline
    )


def keep(model: Step, run: Run, inspected: Inspected) -> None:
    """Saves what was found. Raises what makes the step fail; whatever can be saved is saved, for cleanup, even so."""
    missing: Failed | None = None
    for name, save in model.save.items():
        if name in inspected.found:
            run.keep(name, save, inspected.found[name])
        elif name in inspected.lacking:
            missing = missing or inspected.lacking[name]
        elif inspected.failure is None:
            run.keep(name, save, None if save.default is None else run.render(save.default), found=False)
    if inspected.failure is not None:
        raise inspected.failure
    if missing is not None:
        raise missing


async def fill(model: Step, fields: dict[str, object], page: Answer, run: Run, deadline: float) -> Submission:
    """The form that the step names, filled in. Raises Failed."""
    assert model.submit is not None
    if not is_heavy_page(page.content):
        return fill_in(page, model.submit, fields, model.button)
    journey = run.journey.name
    return await run.context.readers.fill_in(
        page, model.submit, fields, model.button, journey=journey, deadline=deadline
    )
