"""`${NAME}` in files: replaced once, in parsed scalars, always by text that is never a template; masked in all output.

${NAME}             the environment variable, else the text of the file that $NAME_FILE names
${NAME:-default}    the default where NAME is unset or empty
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from probes.files.masking import Masker
from probes.files.mistakes import Loc, Mistake
from probes.files.yamlfile import Document, reporter

__all__ = ["Environment", "Masker", "Text", "looks_secret", "mentions"]

_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{[^}]*\}?")
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase|code)?(?![a-z])|secret|token|credential|hmac|auth(?!or)|private|signing|dsn"
    r"|(?<![a-z])(key|pin|pwd|pw|cvv|cvc|sid)(?![a-z])|apikey",
    re.I,
)
_PLAIN = re.compile(  # values that nobody hides: hosts, mail addresses, numbers, short words
    r"[\w.-]+\.[a-z]{2,}(:\d+)?|localhost(:\d+)?|\[?[0-9a-f.:]+\]?(:\d+)?|[^@\s:/]+@[\w.-]+|-?\d+(\.\d+)?|[a-z]{1,10}",
    re.I,
)
_FILE_LIMIT = 64 * 1024

Segment = tuple[str, bool]
"""A piece of text, and whether it is literal: brought in by `${…}`, never read as a template."""


class Text(str):
    """Text that `${…}` has part in. It reads as the whole; `segments` say which pieces must not be a template."""

    segments: tuple[Segment, ...]
    __slots__ = ("segments",)

    def __new__(cls, segments: tuple[Segment, ...]) -> "Text":
        text = super().__new__(cls, "".join(piece for piece, _ in segments))
        text.segments = segments
        return text

    def __getnewargs__(self) -> Any:
        return (self.segments,)


def looks_secret(name: str) -> bool:
    """By its name: `BUYER_PASSWORD`, `api-token`, `X-Api-Key`."""
    return _SECRET_NAME.search(name) is not None


def mentions(text: str) -> Iterator[tuple[str, str | None]]:
    """Every `${NAME}` in the text with its default (None where it has none)."""
    for found in _REFERENCE.finditer(text):
        if found["name"]:
            yield found["name"], found["default"]


@dataclass
class Environment:
    """The variables that files may name; remembers the value of each secret that it handed out, for masking, and
    which files (`NAME_FILE`) it looked for values in."""

    variables: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    secrets: dict[str, str] = field(default_factory=dict)
    files: set[Path] = field(default_factory=set)

    def resolve(self, data: Any, report: Callable[..., None] | None = None, loc: Loc = ()) -> Any:
        """The data with every `${…}` in its values replaced by `Text`; keys stay. What is wrong goes to `report`.

        What cannot be replaced stays as it is written, as literal text.
        """
        if isinstance(data, dict):
            return {key: self.resolve(value, report, (*loc, key)) for key, value in data.items()}
        if isinstance(data, list):
            return [self.resolve(item, report, (*loc, index)) for index, item in enumerate(data)]
        if isinstance(data, str) and "${" in data:
            return self._text(data, report or _ignore, loc)
        return data

    def resolve_document(self, document: Document, mistakes: list[Mistake]) -> Document:
        """The document with its `${…}` replaced; a variable that is not there becomes a mistake."""
        failed: set[Loc] = set()
        say = reporter(document, mistakes)

        def report(loc: Loc, problem: str, hint: str | None = None) -> None:
            failed.add(loc)
            say(loc, problem, hint)

        data = self.resolve(document.data, report)
        return replace(document, data=data, unresolved=document.unresolved | failed, mask=self.masker())

    def masker(self, extra: Mapping[str, str] | None = None) -> Masker:
        """Replaces every secret handed out so far, and the `extra` ones, by `${NAME}`."""
        return Masker({**self.secrets, **(extra or {})})

    def _text(self, text: str, report: Callable[..., None], loc: Loc) -> Text:
        segments: list[Segment] = []
        end = 0
        for found in _REFERENCE.finditer(text):
            if found.start() > end:
                segments.append((text[end : found.start()], False))
            segments.append((self._replacement(found, report, loc), True))
            end = found.end()
        if end < len(text):
            segments.append((text[end:], False))
        return Text(tuple(segments))

    def _replacement(self, found: re.Match[str], report: Callable[..., None], loc: Loc) -> str:
        name, default = found["name"], found["default"]
        if not name:
            report(loc, f"{found[0]} is not a variable", "write ${NAME} or ${NAME:-default}")
            return found[0]
        value = self.variables.get(name)
        if not value and f"{name}_FILE" in self.variables:
            return self._from_file(name, report, loc, found[0])
        if value or (value is not None and default is None):
            self._remember(name, value)
            return value
        if default is not None:
            return default
        report(
            loc,
            f"${{{name}}} is not set",
            f"set it, or {name}_FILE, in the environment",
        )
        return found[0]

    def _from_file(self, name: str, report: Callable[..., None], loc: Loc, written: str) -> str:
        path = self.variables[f"{name}_FILE"]
        self.files.add(Path(path))
        try:
            with Path(path).open("rb") as file:
                value = file.read(_FILE_LIMIT).decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            why = getattr(error, "strerror", None) or "not UTF-8 text"
            report(loc, f"{written}: the file that {name}_FILE names ({path}) cannot be read: {why}")
            return written
        self._remember(name, value, from_file=True)
        return value

    def _remember(self, name: str, value: str, *, from_file: bool = False) -> None:
        named = len(value) >= 3 and (from_file or looks_secret(name))
        if named or (len(value) >= 4 and not _is_plain(value)):
            self.secrets[name] = value
        if "://" in value and (password := _password_in(value)):
            self.secrets[f"{name}_PASSWORD"] = password


def _ignore(loc: Loc, problem: str, hint: str | None = None) -> None:
    """For callers that only want the values."""


def _is_plain(value: str) -> bool:
    """Whether a value may be shown: an address without anything in it that could be a key."""
    if _PLAIN.fullmatch(value):
        return True
    try:
        url = urlsplit(value)
    except ValueError:
        return False
    named = url.scheme in ("http", "https") and url.hostname
    return bool(
        named and "@" not in url.netloc and not url.query and all(len(part) < 16 for part in url.path.split("/"))
    )


def _password_in(url: str) -> str | None:
    try:
        password = urlsplit(url).password
    except ValueError:
        return None
    return password if password and len(password) >= 3 else None
