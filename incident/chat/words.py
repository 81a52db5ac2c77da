"""What somebody typed after `/incident`, as an action. Pure."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from incident.core.model import SEVERITIES, STATUSES
from incident.errors import Refused
from probes.files.mistakes import did_you_mean

HELP = """\
`/incident` lists the open incidents. With a word it does more:
`show N` · `ack N` · `note N TEXT` · `update N [--public] [--status STATUS] TEXT` · `sev N SEV2` · `assign N ROLE WHO` · `resolve N [TEXT]` · `reopen N [TEXT]` · `open TITLE` · `help`
STATUS is investigating, identified, monitoring or resolved. `--public` shows the update to customers."""  # noqa: E501

_NUMBERED = ("show", "ack", "note", "update", "sev", "assign", "resolve", "reopen")
_WORDS = (*_NUMBERED, "open", "list", "help")


@dataclass(frozen=True)
class Typed:
    """`action` is one of the desk's, or list, show, help."""

    action: str
    number: int | None = None
    args: Mapping[str, Any] = field(default_factory=dict)


def parse(text: str) -> Typed:
    """Raises Refused with what would be right."""
    word, _, rest = text.strip().partition(" ")
    word = word.lower() or "list"
    if word not in _WORDS:
        hint = did_you_mean(word, _WORDS)
        raise Refused(f'"{word}" is no command' + (f" ({hint})" if hint else "") + "; `/incident help` lists them")
    if word == "open":
        return Typed(word, None, {"title": _said(rest, "open TITLE")})
    if word not in _NUMBERED:
        return Typed(word)
    number, _, rest = rest.strip().partition(" ")
    digits = number.removeprefix("#")
    if not digits.isascii() or not digits.isdecimal() or len(digits) > 9:
        raise Refused(f"which incident? write `/incident {word} 12`")
    return Typed(word, int(digits), _arguments(word, rest.strip()))


def _arguments(word: str, rest: str) -> dict[str, Any]:
    if word == "note":
        return {"text": _said(rest, "note 12 TEXT")}
    if word == "update":
        return _update(rest)
    if word == "sev":
        level, _, why = rest.partition(" ")
        given = {"severity": level.upper()}
        if given["severity"] not in SEVERITIES:
            raise Refused("which severity? write `/incident sev 12 SEV2`")
        return given | ({"text": why.strip()} if why.strip() else {})
    if word == "assign":
        role, _, who = rest.partition(" ")
        return {"role": role.lower(), "who": _said(who, "assign 12 commander lead")}
    if word in ("resolve", "reopen") and rest:
        return {"text": rest}
    return {}


def _update(rest: str) -> dict[str, Any]:
    """Options come before the text, which is then taken as it stands, quotes and all."""
    given: dict[str, Any] = {}
    while rest.startswith(("--", "—")):  # phones turn two hyphens into a dash
        option, _, rest = rest.replace("—", "--", 1).partition(" ")
        rest = rest.strip()
        name, equals, value = option.partition("=")
        if name == "--public":
            given["public"] = True
        elif name == "--status":
            if not equals:
                value, _, rest = rest.partition(" ")
            given["status"] = value.lower()
            if given["status"] not in STATUSES:
                raise Refused(f"--status is one of {', '.join(STATUSES)}")
        else:
            raise Refused(f"update knows --public and --status, not {option}")
        rest = rest.strip()
    return given | {"text": _said(_unquoted(rest), "update 12 TEXT")}


def _unquoted(text: str) -> str:
    """Without the quotes around the whole text, which people type out of habit."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        try:
            parts = shlex.split(text)
        except ValueError:
            return text
        return parts[0] if len(parts) == 1 else text
    return text


def _said(text: str, example: str) -> str:
    if not text.strip():
        raise Refused(f"something is missing: write `/incident {example}`")
    return text.strip()
