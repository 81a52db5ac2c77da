"""Values as journeys see them: text stays text, numbers are decimals, an instant is ISO 8601 or Unix time."""

from typing import Any, Final


class Missing:
    """The type of MISSING: what was looked for is not there. JSON null is there, and is None."""

    def __repr__(self) -> str:
        return "nothing"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()


def describe(value: Any) -> str:
    """A value as users read it in `expected` and `seen`."""
    return repr(value)
