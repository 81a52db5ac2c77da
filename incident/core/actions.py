"""Everything that people do to incidents: one vocabulary for the command line, chat, web and API. Pure.

Each action is a function from an incident (in a draft) and arguments to events. Who may do what is decided here, once,
and who did it, by which mouth, is part of every event.

| action      | arguments                                                                      |
| ----------- | ------------------------------------------------------------------------------ |
| open        | title, service, severity (SEV3), text                                          |
| ack         |                                                                                |
| note        | text                                                                           |
| update      | text, text_zh, public (false), status, next_update_due (ISO 8601), force       |
| assign      | role (commander, communications, scribe), who                                  |
| sev         | severity, text (why)                                                           |
| runbook     | name: somebody follows it                                                      |
| resolve     | text, force (false): although something speaks against it                      |
| reopen      | text                                                                           |
| merge       | into: it goes on in that incident                                              |
| unmerge     |                                                                                |
| duplicate   | of                                                                             |
| link        | other, how (related, caused by, causes, duplicate of, has duplicate)           |
| unlink      | other                                                                          |
| task        | text, owner, due (ISO 8601), action_item (false)                               |
| task_change | task (its number), text, owner, due                                            |
| task_done   | task, undone (false)                                                           |
| cause       | text: a root cause, in the same words each time                                |
| review      | text: the review, as it is published; see `incident.core.reviewing`            |
| attach      | attachment, name, media_type, size, sha256, run: see `incident.attachments`    |
| redact      | seq, text (why)                                                                |

Every action takes `expect_seq` too: the last event that the actor has seen; Conflict when there are newer ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from incident.core import cadence, record, reviewing
from incident.core.acting import Act, Args, flag, instant_text, one_of, said
from incident.core.actor import Actor, Role
from incident.core.alerts import UNASSIGNED, readable
from incident.core.closing import speaks_against
from incident.core.decide import Policy, add_runbooks
from incident.core.folding import Draft
from incident.core.model import SEVERITIES, STATUSES, Incident
from incident.core.paging import aloud
from incident.errors import Conflict, NotFound, Refused

ROLES = ("commander", "communications", "scribe")


@dataclass(frozen=True)
class Action:
    """`needs`: the least role. `keys`: the arguments it knows. `closed`: whether it works on a resolved incident.

    `other`: the argument that names another incident which it concerns.
    """

    run: Callable[[Act], None]
    needs: Role
    keys: tuple[str, ...]
    closed: bool = True
    other: str | None = None


def concerned(action: str, incident: Incident, args: Args) -> list[int]:
    """The numbers of other incidents that must be in the draft for this action, so far as there are such."""
    known = ACTIONS.get(action)
    if known is None:
        return []
    number = incident.merged_into if action == "unmerge" else args.get(known.other) if known.other else None
    return [number] if isinstance(number, int) and not isinstance(number, bool) else []


def perform(action: str, incident: Incident | None, draft: Draft, *, actor: Actor, args: Args, policy: Policy) -> int:
    """Adds the action's events to `draft`, and returns the incident's number. `incident` is None for `open` only.

    An action that is already so (acknowledged by the same person, already resolved) adds nothing, and is no error.
    Raises NotFound, NotAllowed, Refused or Conflict.
    """
    if action == "open":
        return _open(draft, actor, args, policy)
    known = ACTIONS.get(action)
    if known is None:
        raise NotFound(f"there is no action {readable(action)!r}: {', '.join(('open', *ACTIONS))}")
    if incident is None:
        raise Refused(f"{action} needs the number of an incident")
    actor.must_be(known.needs, action)
    _only(args, (*known.keys, "expect_seq"), action)
    must_be_unchanged(incident, args)
    if not incident.open and not known.closed:
        raise Refused(f"#{incident.number} is resolved: reopen it first")
    known.run(Act(draft, incident.number, actor, args, policy))
    return incident.number


def _only(args: Args, keys: tuple[str, ...], action: str) -> None:
    unknown = sorted(set(args) - set(keys))
    if unknown:
        raise Refused(f"{action} knows no {readable(unknown[0])!r}: it takes {', '.join(keys)}")


def must_be_unchanged(incident: Incident, args: Args) -> None:
    """Raises Conflict where something happened after the event that `expect_seq` names."""
    expected = args.get("expect_seq")
    if expected is not None and expected != incident.seq:
        raise Conflict(f"#{incident.number} has changed meanwhile: it is at event {incident.seq}, not {expected}", True)


def severity(args: Args) -> str:
    given = str(args.get("severity", "")).upper()
    return one_of({"severity": f"SEV{given}" if given.isdigit() else given}, "severity", SEVERITIES)


def _open(draft: Draft, actor: Actor, args: Args, policy: Policy) -> int:
    actor.must_be(Role.RESPONDER, "open an incident")
    _only(args, ("title", "service", "severity", "text"), "open")
    title = readable(said(args, "title"))
    service = readable(said(args, "service", required=False)) or UNASSIGNED
    level = severity(args) if args.get("severity") is not None else "SEV3"
    labels = {"service": service, "severity": level}
    data = {
        "service": service,
        "severity": level,
        "labels": labels,
        "channels": list(policy.route(labels)),
        "via": actor.via,
    }
    incident = draft.open(title, data, actor.name)
    text = said(args, required=False)
    if text:
        Act(draft, incident.number, actor, args, policy).say("note", text)
    add_runbooks(draft.incidents[incident.number], labels, draft, policy)
    return incident.number


def _ack(act: Act) -> None:
    first = act.incident.acknowledged_by
    if first is None:
        act.say("acknowledged", f"Acknowledged by {act.actor.name}")
    elif act.actor.name not in act.incident.acknowledgers:
        act.say("acknowledged", f"Acknowledged by {act.actor.name} too; {first} was first", again=True)


def _note(act: Act) -> None:
    act.say("note", said(act.args))


def _update(act: Act) -> None:
    data: dict[str, Any] = {"public": flag(act.args, "public")}
    text = said(act.args)
    if act.args.get("text_zh") is not None:
        data["text_zh"] = said(act.args, "text_zh")
    if act.args.get("status") is not None:
        status = one_of(act.args, "status", STATUSES)
        if not act.incident.open and status != "resolved":
            raise Refused(f"#{act.number} is resolved: reopen it first, or send the update without a status")
        if status == "resolved" and act.incident.open:
            data |= _close(act, flag(act.args, "force"), text, public=data["public"])
        data |= {"status": status, "was": act.incident.status}
    if act.args.get("next_update_due") is not None:
        data["next_update_due"] = instant_text(act.args["next_update_due"])
    elif data["public"] and act.incident.open:
        due = cadence.following(act.incident.opened_at, act.draft.now)
        data["next_update_due"] = None if due is None else due.isoformat()
    act.say("update", text, **data)


def _assign(act: Act) -> None:
    role = one_of(act.args, "role", ROLES)
    who = readable(said(act.args, "who"))
    if act.incident.roles.get(role) != who:
        act.say("assigned", f"{role}: {who}", role=role, who=who)


def _sev(act: Act) -> None:
    was, now = act.incident.severity, severity(act.args)
    if was == now:
        return
    why = said(act.args, required=False)
    channels = list(act.policy.route({**aloud(act.incident.labels), "severity": now})) if now < was else []
    page = {"page": True} if act.incident.ticket and now < was else {}  # from now on it is none
    words = f"{was} → {now}" + (f": {why}" if why else "")
    act.say("severity", words, severity=now, was=was, channels=channels, **page)


def _follow(act: Act) -> None:
    name = readable(said(act.args, "name"))
    act.say("runbook", f"{act.actor.name} follows the runbook {name}", runbooks=[name])


def _resolve(act: Act) -> None:
    if act.incident.open:
        why = said(act.args, required=False)
        forced = _close(act, flag(act.args, "force"), why)
        words = f"Resolved by {act.actor.name}" + (f": {why}" if why else "")
        act.say("resolved", words, was=act.incident.status, **forced)


def _close(act: Act, force: bool, why: str, public: bool = False) -> dict[str, Any]:
    """The gate before an incident is closed. What is said against it, if that is overruled; else raises Refused.

    `public`: the last word is being said to the public in the same breath.
    """
    against = speaks_against(act.incident, act.policy.obstacles(act.incident), public)
    if not against:
        return {}
    if not force:
        raise Refused(
            f"#{act.number} is not to be closed yet: {'; '.join(against)}. "
            "To close it all the same, say --force and why"
        )
    act.actor.must_be(Role.COMMANDER, "close an incident by force")
    if not why:
        raise Refused("to close it by force, say why")
    return {"forced": True, "against": against}


def _reopen(act: Act) -> None:
    if act.incident.open:
        raise Refused(f"#{act.number} is open: there is nothing to reopen")
    if act.incident.merged_into is not None:
        raise Refused(f"#{act.number} goes on in #{act.incident.merged_into}: unmerge it, to have it apart again")
    why = said(act.args, required=False)
    due = cadence.first(act.draft.now).isoformat()
    act.say("reopened", f"Reopened by {act.actor.name}" + (f": {why}" if why else ""), next_update_due=due)


ATTACHED = ("attachment", "name", "media_type", "size", "sha256", "run", "fingerprint")
ACTIONS: Mapping[str, Action] = {
    "ack": Action(_ack, Role.RESPONDER, (), closed=False),
    "note": Action(_note, Role.RESPONDER, ("text",)),
    "update": Action(_update, Role.RESPONDER, ("text", "text_zh", "public", "status", "next_update_due", "force")),
    "assign": Action(_assign, Role.RESPONDER, ("role", "who")),
    "sev": Action(_sev, Role.RESPONDER, ("severity", "text")),
    "runbook": Action(_follow, Role.RESPONDER, ("name",)),
    "resolve": Action(_resolve, Role.RESPONDER, ("text", "force")),
    "reopen": Action(_reopen, Role.RESPONDER, ("text",)),
    "merge": Action(record.merge, Role.RESPONDER, ("into",), closed=False, other="into"),
    "unmerge": Action(record.unmerge, Role.RESPONDER, ()),
    "duplicate": Action(record.duplicate, Role.RESPONDER, ("of",), closed=False, other="of"),
    "link": Action(record.link, Role.RESPONDER, ("other", "how"), other="other"),
    "unlink": Action(record.unlink, Role.RESPONDER, ("other",), other="other"),
    "task": Action(record.task, Role.RESPONDER, ("text", "owner", "due", "action_item")),
    "task_change": Action(record.task_change, Role.RESPONDER, ("task", "text", "owner", "due")),
    "task_done": Action(record.task_done, Role.RESPONDER, ("task", "undone")),
    "cause": Action(record.cause, Role.RESPONDER, ("text",)),
    "review": Action(reviewing.review, Role.RESPONDER, ("text",)),
    "attach": Action(record.attach, Role.RESPONDER, ATTACHED),
    "redact": Action(record.redact, Role.ADMIN, ("seq", "text")),
}
