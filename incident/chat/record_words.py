"""What is typed after `/incident` to change an incident's record: merging, links, tasks, causes and the like. Pure."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from incident.core.record import LINKS
from incident.errors import Refused
from incident.when import parse_when
from probes.duration import parse_duration

Given = dict[str, Any]


def options(rest: str, word: str, flags: tuple[str, ...], values: tuple[str, ...]) -> tuple[Given, str]:
    """Options that come before the text, by their names without hyphens; and the text, which is taken as it stands.

    Raises Refused for an option that is not known, or that lacks its value.
    """
    given: Given = {}
    while rest.startswith(("--", "—")):  # phones turn two hyphens into a dash
        option, _, rest = rest.replace("—", "--", 1).partition(" ")
        rest = rest.strip()
        name, equals, value = option.removeprefix("--").partition("=")
        if name in flags and not equals:
            given[name] = True
        elif name in values:
            if not equals:
                value, rest = _value(rest)
            if not value:
                raise Refused(f"--{name} needs a value: write --{name}=…")
            given[name] = value
        else:
            known = ", ".join(f"--{one}" for one in (*flags, *values))
            raise Refused(f"{word} knows {known}, and not {option}")
    return given, rest


def _value(rest: str) -> tuple[str, str]:
    """The first word, or what stands in quotes."""
    quoted = re.match(r'"([^"]*)"\s*|“([^”]*)”\s*', rest)
    if quoted is not None:
        return quoted[1] or quoted[2] or "", rest[quoted.end() :]
    value, _, left = rest.partition(" ")
    return value, left.strip()


def when(text: str, now: datetime) -> str:
    try:
        return parse_when(text, now).isoformat()
    except (ValueError, OverflowError) as error:
        raise Refused(str(error)) from None


def _other(rest: str, example: str) -> tuple[int, str]:
    number, _, left = rest.partition(" ")
    digits = number.removeprefix("#")
    if not digits.isascii() or not digits.isdecimal() or len(digits) > 9:
        raise Refused(f"which one? write `/incident {example}`")
    return int(digits), left.strip()


def _said(text: str, example: str) -> str:
    if not text.strip():
        raise Refused(f"something is missing: write `/incident {example}`")
    return text.strip()


def _merge(rest: str, now: datetime) -> Given:
    return {"into": _other(rest, "merge 13 12")[0]}


def _duplicate(rest: str, now: datetime) -> Given:
    return {"of": _other(rest, "duplicate 13 12")[0]}


def _link(rest: str, now: datetime) -> Given:
    other, how = _other(rest, "link 13 12 caused by")
    if how and how.lower() not in LINKS:
        raise Refused(f"they are {', '.join(LINKS)}: write `/incident link 13 12 caused by`")
    return {"other": other} | ({"how": how.lower()} if how else {})


def _unlink(rest: str, now: datetime) -> Given:
    return {"other": _other(rest, "unlink 13 12")[0]}


def _task(rest: str, now: datetime) -> Given:
    given, text = options(rest, "task", ("action-item",), ("owner", "due"))
    return _who_and_when(given, now) | {"text": _said(text, "task 12 --owner lead --due 2h TEXT")}


def _who_and_when(given: Mapping[str, Any], now: datetime) -> Given:
    found: Given = {"owner": given["owner"]} if "owner" in given else {}
    if "due" in given:
        found["due"] = when(given["due"], now)
    if "action-item" in given:
        found["action_item"] = True
    return found


def _change(rest: str, now: datetime) -> Given:
    task, left = _other(rest, "task-change 12 1 --owner second")
    given, text = options(left, "task-change", (), ("owner", "due"))
    return {"task": str(task)} | _who_and_when(given, now) | ({"text": text} if text else {})


def _done(rest: str, now: datetime) -> Given:
    task, left = _other(rest, "task-done 12 1")
    return {"task": str(task)} | ({"undone": True} if left in ("--undone", "—undone") else {})


def _cause(rest: str, now: datetime) -> Given:
    return {"text": _said(rest, "cause 12 Expired certificate")}


def _runbook(rest: str, now: datetime) -> Given:
    return {"name": _said(rest, "runbook 12 payment-channel-failure")}


def _silence(rest: str, now: datetime) -> Given:
    duration, _, why = rest.partition(" ")
    try:
        given: Given = {"for": parse_duration(duration)}
    except ValueError:
        raise Refused("for how long? write `/incident silence 12 2h WHY`") from None
    return given | ({"text": why.strip()} if why.strip() else {})


def _redact(rest: str, now: datetime) -> Given:
    seq, why = _other(rest, "redact 12 7 WHY")
    return {"seq": seq} | ({"text": why} if why else {})


RECORD: Mapping[str, tuple[str, Callable[[str, datetime], Given]]] = {  # by word: the action, and its arguments
    "merge": ("merge", _merge),
    "unmerge": ("unmerge", lambda rest, now: {}),
    "duplicate": ("duplicate", _duplicate),
    "link": ("link", _link),
    "unlink": ("unlink", _unlink),
    "task": ("task", _task),
    "task-change": ("task_change", _change),
    "task-done": ("task_done", _done),
    "cause": ("cause", _cause),
    "runbook": ("runbook", _runbook),
    "silence": ("silence", _silence),
    "redact": ("redact", _redact),
}
