"""What people add to an incident's record besides words: merging, links, tasks, causes, attachments, redactions. Pure.

Part of the vocabulary of `core.actions`, which says who may do what.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from incident.core.acting import Act, flag, instant_text, one_of, said
from incident.core.alerts import readable
from incident.core.closing import speaks_against
from incident.core.merging import put_back, take_in
from incident.errors import NotFound, Refused

LINKS = ("related", "caused by", "causes", "duplicate of", "has duplicate")
_MIRROR = {
    "caused by": "causes",
    "causes": "caused by",
    "duplicate of": "has duplicate",
    "has duplicate": "duplicate of",
}
MOST_TASKS = 200


def merge(act: Act) -> None:
    """This incident goes on in another, which takes its alerts over."""
    into = _other(act, "into")
    mine = act.incident
    if not into.open:
        raise Refused(f"#{into.number} is resolved: reopen it first, or link the two")
    if into.ticket and not mine.ticket:
        raise Refused(f"nobody is paged for #{into.number}: merge it into #{mine.number}, or raise its severity")
    if mine.drill != into.drill:
        raise Refused("one of the two is a drill: they are kept apart")
    take_in(into, mine, act.draft, actor=act.actor.name, via=act.actor.via)


def unmerge(act: Act) -> None:
    """An incident that went on in another stands on its own again, with the alerts that it brought."""
    into = act.incident.merged_into
    if into is None:
        raise Refused(f"#{act.number} was not merged into another")
    taken_by = act.draft.incidents[into]
    if taken_by.merged_into is not None:  # which has the alerts now: given back from here they would be in both
        further = taken_by.merged_into
        raise Refused(f"#{into} goes on in #{further} itself: unmerge #{into} first, and then #{act.number}")
    put_back(taken_by, act.incident, act.draft, actor=act.actor.name, via=act.actor.via)


def duplicate(act: Act) -> None:
    """The same trouble has an incident already: this one goes on there, and says so.

    Where that one is resolved, this is a way to close an incident, with the same gate before it.
    """
    of = _other(act, "of")
    if not of.open and (against := speaks_against(act.incident, act.policy.obstacles(act.incident))):
        raise Refused(
            f"#{act.number} is not to be closed yet: {'; '.join(against)}. Reopen #{of.number}, for it to go on there"
        )
    _link(act, of.number, "duplicate of")
    if of.open:
        merge(_with(act, into=of.number))
    else:
        act.say("resolved", f"Resolved by {act.actor.name}: the same as #{of.number}", was=act.incident.status)


def link(act: Act) -> None:
    how = one_of(act.args, "how", LINKS) if act.args.get("how") is not None else "related"
    _link(act, _other(act, "other").number, how)


def unlink(act: Act) -> None:
    other = _other(act, "other").number
    if str(other) not in act.incident.links:
        return
    act.say("unlinked", f"No longer linked to #{other}", incident=other)
    act.say_of(other, "unlinked", f"No longer linked to #{act.number}", incident=act.number)


def _link(act: Act, other: int, how: str) -> None:
    if act.incident.links.get(str(other)) == how:
        return
    act.say("linked", f"{how.capitalize()} #{other}", incident=other, how=how)
    back = _MIRROR.get(how, how)
    act.say_of(other, "linked", f"{back.capitalize()} #{act.number}", incident=act.number, how=back)


def _other(act: Act, key: str) -> Any:
    number = act.args.get(key)
    if not isinstance(number, int) or isinstance(number, bool):
        raise Refused(f"{key} should be the number of an incident, not {readable(str(number))!r}")
    if number == act.number:
        raise Refused(f"#{number} is this incident itself")
    found = act.draft.incidents.get(number)
    if found is None:
        raise NotFound(f"there is no incident #{number}")
    return found


def _with(act: Act, **args: Any) -> Act:
    return Act(act.draft, act.number, act.actor, args, act.policy)


def task(act: Act) -> None:
    """Something to do: now (`task`), or after the incident so that it does not come again (`action_item`)."""
    tasks = act.incident.tasks
    if len(tasks) >= MOST_TASKS:
        raise Refused(f"#{act.number} has {len(tasks)} tasks; {MOST_TASKS} is the most")
    number = str(1 + max((int(known) for known in tasks), default=0))
    kind = "action_item" if flag(act.args, "action_item") else "task"
    data = {"task": number, "text": readable(said(act.args)), "kind": kind, **_who_and_when(act.args)}
    words = "Action item" if kind == "action_item" else "Task"
    act.say("task", f"{words} {number}: {data['text']}{_told(data)}", **data)


def task_change(act: Act) -> None:
    number, known = _task(act)
    data: dict[str, Any] = _who_and_when(act.args)
    if act.args.get("text") is not None:
        data["text"] = readable(said(act.args))
    if data:
        act.say("task_change", f"Task {number}: {data.get('text', known['text'])}{_told(data)}", task=number, **data)


def task_done(act: Act) -> None:
    number, known = _task(act)
    undone = flag(act.args, "undone")
    if (known.get("done_at") is not None) is not undone:
        return
    words = "is not done after all" if undone else f"is done, says {act.actor.name}"
    act.say("task_done", f"Task {number}, {known['text']}, {words}", task=number, done=not undone)


def _task(act: Act) -> tuple[str, Mapping[str, Any]]:
    number = readable(str(act.args.get("task", "")))
    known = act.incident.tasks.get(number)
    if known is None:
        raise NotFound(f"#{act.number} has no task {number!r}")
    return number, known


def _who_and_when(args: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if args.get("owner") is not None:
        found["owner"] = readable(said(args, "owner"))
    if args.get("due") is not None:
        found["due"] = instant_text(args["due"])
    return found


def _told(data: Mapping[str, Any]) -> str:
    owner = f", by {data['owner']}" if data.get("owner") else ""
    due = f", until {datetime.fromisoformat(data['due']):%Y-%m-%d %H:%M %Z}" if data.get("due") else ""
    return owner + due


def cause(act: Act) -> None:
    """A root cause, in a few words that are the same each time: that is how a repeat is recognised."""
    name = readable(said(act.args)).rstrip(".")
    if name.casefold() not in {known.casefold() for known in act.incident.causes}:
        act.say("cause", f"Root cause: {name}", cause=name)


def attach(act: Act) -> None:
    """The words of an attachment; its content is stored beside."""
    data = {key: act.args[key] for key in ("attachment", "name", "media_type", "size", "sha256") if key in act.args}
    data |= {key: act.args[key] for key in ("run", "fingerprint") if act.args.get(key) is not None}
    act.say("attached", f"Attached {data['name']} ({data['size']} bytes)", **data)


def redact(act: Act) -> None:
    """Blanks what should not have been written. The record says that something was there, and who took it out."""
    seq = act.args.get("seq")
    if not isinstance(seq, int) or isinstance(seq, bool) or not 1 <= seq <= act.incident.seq:
        raise NotFound(f"#{act.number} has no event {readable(str(seq))}")
    why = said(act.args, required=False)
    words = f"Event {seq} was redacted by {act.actor.name}" + (f": {why}" if why else "")
    act.say("redacted", words, seq=seq)
