"""What somebody typed after `/incident`, as an action. Pure."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from incident.chat.record_words import RECORD, options, when
from incident.core.model import SEVERITIES, STATUSES
from incident.errors import Refused
from probes.files.mistakes import did_you_mean

HELP = """\
`/incident` lists the open incidents. With a word it does more:
`show N` · `ack N` · `note N TEXT` · `update N [--public] [--status STATUS] TEXT` · `sev N SEV2` · `assign N ROLE WHO` · `resolve N [--force] [TEXT]` · `reopen N [TEXT]` · `open TITLE` · `help`
`merge N INTO` · `unmerge N` · `duplicate N OF` · `link N OTHER [caused by]` · `unlink N OTHER` · `runbook N NAME` · `silence N 2h [WHY]` · `cause N TEXT` · `task N [--action-item] [--owner WHO] [--due 2h] TEXT` · `task-change N TASK` · `task-done N TASK` · `redact N EVENT`
STATUS is investigating, identified, monitoring or resolved. `--public` shows the update to customers."""  # noqa: E501

_NUMBERED = ("show", "ack", "note", "update", "sev", "assign", "resolve", "reopen", *RECORD)
_WORDS = (*_NUMBERED, "open", "list", "help")


@dataclass(frozen=True)
class Typed:
    """`action` is one of the desk's, or list, show, help."""

    action: str
    number: int | None = None
    args: Mapping[str, Any] = field(default_factory=dict)


def parse(text: str, now: datetime) -> Typed:
    """`now` carries the zone in which people type times. Raises Refused with what would be right."""
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
    if word in RECORD:
        action, arguments = RECORD[word]
        return Typed(action, int(digits), arguments(rest.strip(), now))
    return Typed(word, int(digits), _arguments(word, rest.strip(), now))


def _arguments(word: str, rest: str, now: datetime) -> dict[str, Any]:
    if word == "note":
        return {"text": _said(rest, "note 12 TEXT")}
    if word == "update":
        return _update(rest, now)
    if word == "sev":
        level, _, why = rest.partition(" ")
        given = {"severity": level.upper()}
        if given["severity"] not in SEVERITIES:
            raise Refused("which severity? write `/incident sev 12 SEV2`")
        return given | ({"text": why.strip()} if why.strip() else {})
    if word == "assign":
        role, _, who = rest.partition(" ")
        return {"role": role.lower(), "who": _said(who, "assign 12 commander lead")}
    if word == "resolve":
        given, why = options(rest, "resolve", ("force",), ())
        return {**given, **({"text": why} if why else {})}
    return {"text": rest} if word == "reopen" and rest else {}


def _update(rest: str, now: datetime) -> dict[str, Any]:
    """Options come before the text, which is then taken as it stands, quotes and all."""
    given, rest = options(rest, "update", ("public", "force"), ("status", "next", "zh"))
    if "status" in given:
        given["status"] = given["status"].lower()
        if given["status"] not in STATUSES:
            raise Refused(f"--status is one of {', '.join(STATUSES)}")
    if "next" in given:
        given["next_update_due"] = when(given.pop("next"), now)
    if "zh" in given:
        given["text_zh"] = given.pop("zh")
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
