"""`submit`: the form on the page last read, filled in and sent as a browser would."""

from typing import TYPE_CHECKING

from pydantic import Field

from probes.keys import Keys
from probes.kinds.base import Kind
from probes.kinds.http import ANSWER_KEYS, EXPECTATIONS
from probes.page import SelectorText
from probes.templates import TreeField

if TYPE_CHECKING:
    from probes.kinds import Step


class SubmitKeys(Keys):
    """`fields`: set, added, or removed (null). `button`: the name, id or selector of the button that is pressed."""

    submit: SelectorText | None = None
    fields: dict[str, TreeField] = Field(default_factory=dict)
    button: str | None = None


def name_of(step: "Step") -> str:
    return f"submit {step.submit}"


KIND = Kind("submit", ("submit",), ANSWER_KEYS | {"fields", "button"}, EXPECTATIONS, name_of=name_of)
