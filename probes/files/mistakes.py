"""What is wrong in a file of the user's, and where: one form for every kind of file and every command."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any, Literal

from probes.errors import ProbesError

Loc = tuple[str | int, ...]
"""The way to a value inside a document: `("steps", 1, "expect", "json", "$.total")`."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """`file` is relative to the workspace, `line` counts from 1, `path` is dotted: `steps[1].expect.json`.

    An error keeps the workspace from being used; a warning does not.
    """

    file: str
    line: int
    path: str
    problem: str
    hint: str | None = None
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " + (f"{self.path}: " if self.path else "")
        level = "warning: " if self.level == "warning" else ""
        return f"{place}{level}{self.problem}" + (f" ({self.hint})" if self.hint else "")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class WorkspaceInvalid(ProbesError):
    """The workspace cannot be used as it is; the text lists every error with its file and line."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = list(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class Wrong(ValueError):
    """Raised by validators that can say more than pydantic: `hint` is how to mend it, `at` the way to the value from
    what the validator was given (a validator of a whole model knows better than its first line)."""

    def __init__(self, problem: str, hint: str | None = None, at: Loc = ()) -> None:
        super().__init__(problem)
        self.hint = hint
        self.at = at


class Wrongs(ValueError):
    """Several at once, of one validator."""

    def __init__(self, wrongs: Iterable[Wrong]) -> None:
        self.wrongs = tuple(wrongs)
        super().__init__("; ".join(str(wrong) for wrong in self.wrongs))


def raise_all(wrongs: Iterable[Wrong]) -> None:
    """Raises Wrongs with all of them, if there are any."""
    if found := list(wrongs):
        raise Wrongs(found)


def errors(mistakes: Iterable[Mistake]) -> list[Mistake]:
    return [mistake for mistake in mistakes if mistake.level == "error"]


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The hint for a word that is none of the known ones: the closest, or None where nothing is close."""
    names = [str(name) for name in known]
    close = get_close_matches(word, names, 1, 0.6) or get_close_matches(word.lower().replace("-", "_"), names, 1, 0.6)
    return f'did you mean "{close[0]}"?' if close else None


def one_of(names: Iterable[str]) -> str:
    """`a, b or c`, for the end of a sentence; a very long list is cut."""
    words = list(names)
    if len(words) > 30:
        return ", ".join(words[:30]) + ", …"
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" or {words[-1]}" if words else "nothing"


def dotted(loc: Loc) -> str:
    """`("steps", 1, "expect")` -> `steps[1].expect`; a name that would be misread is quoted in brackets."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part and not set(part) & set(".[]\"' ") and part.isprintable():
            text += f".{part}" if text else part
        else:
            text += f"[{ascii(part) if not part.isprintable() else repr(part)}]"
    return text
