"""`save`: takes what a step keeps out of its answer."""

from typing import Any

from probes.language.kinds import Step
from probes.language.saving import Save
from probes.language.values import MISSING
from probes.pages.page import attribute, text_of
from probes.regex import compile_regex
from probes.result import Reason
from probes.running.answer import Answer
from probes.running.failure import Failed
from probes.running.judge import find_json, read, select
from probes.running.run import Run

_REASONS = {
    "json": Reason.JSON,
    "html": Reason.HTML,
    "header": Reason.HEADER,
    "cookie": Reason.COOKIE,
    "regex": Reason.BODY,
    "status": Reason.STATUS,
}


def save_all(model: Step, run: Run, answer: Answer) -> None:
    """Raises Failed for the first that is not there and has no default, once the others are saved."""
    missing: Failed | None = None
    for name, save in model.save.items():
        try:
            found = find(save, answer)
        except Failed as error:
            missing = missing or error
            continue
        if found is not MISSING:
            run.keep(name, save, found)
        elif save.has_default:
            run.keep(name, save, None if save.default is None else run.render(save.default), found=False)
        else:
            expected = f"{_what(save)}, to save as {name}"
            missing = missing or Failed(_REASONS[save.kind], expected, _seen(save, answer), answer.status)
    if missing is not None:
        raise missing


def save_what_is_there(model: Step, run: Run, answer: Answer) -> None:
    """For cleanup, after the step has failed: what cannot be found is passed over."""
    for name, save in model.save.items():
        try:
            value = find(save, answer)
        except Failed:  # the step has its reason already
            continue
        if value is not MISSING:
            run.keep(name, save, value)


def find(save: Save, answer: Answer) -> Any:
    """The first value, or MISSING. Raises Failed where the body cannot be read as what it should be."""
    if save.json_ is not None:
        nodes = find_json(save.json_, answer)
        return nodes[0] if nodes else MISSING
    if save.html is not None:
        return _of_page(save, answer)
    if save.header is not None:
        return next(iter(answer.headers.get_list(save.header)), MISSING)
    if save.cookie is not None:
        return answer.cookies.get(save.cookie, MISSING)
    if save.regex is not None:
        match = compile_regex(save.regex).search(read(Reason.BODY, lambda: answer.text, answer))
        return MISSING if match is None or match.group(1) is None else match.group(1)
    return answer.status


def _of_page(save: Save, answer: Answer) -> Any:
    nodes = select(answer, save.html or "")
    if not nodes:
        return MISSING
    if save.attr is None:
        return text_of(nodes[0])
    value = attribute(nodes[0], save.attr)
    return MISSING if value is None else value


def _seen(save: Save, answer: Answer) -> str:
    beside = save.header is not None or save.cookie is not None
    return f"nothing{', with' if beside else ' in'} {answer.shown}" if answer.content else "nothing"


def _what(save: Save) -> str:
    return f"{save.kind} {getattr(save, 'json_' if save.kind == 'json' else save.kind)}"
