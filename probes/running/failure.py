"""How a step says that it failed."""

from typing import Any

from probes.errors import ProbesError
from probes.result import Reason


class Failed(ProbesError):
    """Ends the step. `expected` and `seen` are not yet masked and not yet cut."""

    permanent = False

    def __init__(self, reason: Reason, expected: str, seen: str, status: int | None = None) -> None:
        super().__init__(f"{reason}: expected {expected}, saw {seen}")
        self.reason = reason
        self.expected = expected
        self.seen = seen
        self.status = status

    def __reduce__(self) -> Any:
        return Failed, (self.reason, self.expected, self.seen, self.status)
