"""`check`: something that must be true of what was read so far; sends nothing."""

from typing import TYPE_CHECKING

from probes.language.keys import Keys
from probes.language.kinds.base import Kind
from probes.language.templates import ConditionField

if TYPE_CHECKING:
    from probes.language.kinds import Step


class CheckKeys(Keys):
    """`check` is one template; true (not false, zero, empty or missing) passes."""

    check: ConditionField | None = None


def name_of(step: "Step") -> str:
    assert step.check is not None
    return f"check {step.check.source}"


KIND = Kind("check", ("check",), frozenset(), frozenset(), name_of=name_of)
