"""How a step says that it failed."""

from typing import Any, TypeVar

from probes.errors import ProbesError
from probes.result import Reason

_Error = TypeVar("_Error", bound=BaseException)


def bare(error: _Error) -> _Error:
    """The error, without what its traceback holds: frames, and in them the page, its tree and often the error itself.
    All of that would stay in memory until the collector comes by."""
    chain: list[BaseException | None] = [error]
    while chain:
        link = chain.pop()
        if link is not None:
            link.__traceback__ = None
            chain += (link.__cause__, link.__context__)
    return error


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
