"""`submit`: the form on the page last read, filled in and sent as a browser would."""

from typing import TYPE_CHECKING

from pydantic import Field

from probes.language.keys import Keys
from probes.language.kinds.base import Kind
from probes.language.kinds.http import ANSWER_KEYS, EXPECTATIONS
from probes.language.templates import TreeField
from probes.pages.page import SelectorText

if TYPE_CHECKING:
    from probes.language.kinds import Step


class SubmitKeys(Keys):
    """`fields`: set, added, or removed (null). `button`: the name, id or selector of the button that is pressed."""

    submit: SelectorText | None = None
    fields: dict[str, TreeField] = Field(default_factory=dict)
    button: str | None = None


def name_of(step: "Step") -> str:
    return f"submit {step.submit}"


KIND = Kind("submit", ("submit",), ANSWER_KEYS | {"fields", "button"}, EXPECTATIONS, name_of=name_of)
