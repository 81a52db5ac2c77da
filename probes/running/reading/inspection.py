"""All that a step wants to know of an answer's body, in one piece, so that it can be found out anywhere.

Pure: it needs nothing of the run but the values that templates in matchers see.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from probes.errors import ProbesError
from probes.language.expect import Expect
from probes.language.saving import Save
from probes.language.values import MISSING
from probes.pages.forms import FormNotFound, Submission, find_form
from probes.pages.markup import HostilePage
from probes.result import Reason
from probes.running.answer import Answer
from probes.running.failure import Failed, bare
from probes.running.judge import Judge
from probes.running.saves import find, not_there


@dataclass(frozen=True, slots=True)
class Questions:
    """What a step expects (and waits for), and what it saves, by name."""

    expect: Expect | None
    until: Expect | None
    save: Mapping[str, Save]


@dataclass(slots=True)
class Inspected:
    """`failure`: the first expectation that does not hold. `found` of what is to be saved; `lacking`: what could not
    be read, or is missing and has no default."""

    failure: ProbesError | None = None
    found: dict[str, Any] = field(default_factory=dict)
    lacking: dict[str, Failed] = field(default_factory=dict)


def inspect(questions: Questions, answer: Answer, values: Mapping[str, Any], now: datetime) -> Inspected:
    inspected = Inspected()
    try:
        _judge(questions, Judge(answer, values, now))
    except ProbesError as error:
        inspected.failure = bare(error)
    for name, save in questions.save.items():
        try:
            value = find(save, answer)
        except Failed as error:
            inspected.lacking[name] = bare(error)
            continue
        if value is not MISSING:
            inspected.found[name] = value
        elif inspected.failure is None and not save.has_default:
            inspected.lacking[name] = not_there(name, save, answer)
    return inspected


def _judge(questions: Questions, judge: Judge) -> None:
    expect, until = questions.expect, questions.until
    if expect is not None or until is None:
        judge.judge(expect, any_status=until is not None and until.status is not None)
    if until is not None:
        judge.judge(until, any_status=expect is not None)


def fill_in(page: Answer, selector: str, fields: Mapping[str, Any], button: str | None) -> Submission:
    """The form of a page as it is to be sent. Raises Failed."""
    try:
        return find_form(page.page, selector).submit(fields, button)
    except FormNotFound as error:
        seen = f"{error}; in {page.shown}"
        raise Failed(Reason.HTML, f"the form {selector}", seen, page.status) from None
    except HostilePage as error:
        raise Failed(Reason.HTML, f"the form {selector}", str(error), page.status) from None
