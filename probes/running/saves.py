"""`save`: finds in an answer what a step keeps of it."""

from typing import Any

from probes.language.saving import Save
from probes.language.values import MISSING
from probes.pages.page import attribute, text_of
from probes.regex import compile_regex
from probes.result import Reason
from probes.running.answer import Answer
from probes.running.failure import Failed
from probes.running.judge import find_json, read, select

_REASONS = {
    "json": Reason.JSON,
    "html": Reason.HTML,
    "header": Reason.HEADER,
    "cookie": Reason.COOKIE,
    "regex": Reason.BODY,
    "status": Reason.STATUS,
}


def not_there(name: str, save: Save, answer: Answer) -> Failed:
    """The failure of a step that was to save what is not there and has no default."""
    return Failed(_REASONS[save.kind], f"{_what(save)}, to save as {name}", _seen(save, answer), answer.status)


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
    return f"nothing{', with' if beside else ' in'} {answer.shown}" if answer.is_there else "nothing"


def _what(save: Save) -> str:
    return f"{save.kind} {getattr(save, 'json_' if save.kind == 'json' else save.kind)}"
