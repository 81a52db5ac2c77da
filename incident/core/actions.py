"""Everything that people do to incidents: one vocabulary for the command line, chat, web and API. Pure.

Each action is a function from an incident (in a draft) and arguments to events. Who may do what is decided here, once,
and who did it, by which mouth, is part of every event.

| action  | arguments                                                                        |
| ------- | -------------------------------------------------------------------------------- |
| open    | title, service, severity (SEV3), text                                            |
| ack     |                                                                                  |
| note    | text                                                                             |
| update  | text, text_zh, public (false), status, next_update_due (ISO 8601)                |
| assign  | role (commander, communications, scribe), who                                    |
| sev     | severity, text (why)                                                             |
| runbook | name: somebody follows it                                                        |
| resolve | text                                                                             |
| reopen  | text                                                                             |

Every action takes `expect_seq` too: the last event that the actor has seen; Conflict when there are newer ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incident.core import cadence
from incident.core.actor import Actor, Role
from incident.core.alerts import UNASSIGNED, readable
from incident.core.decide import Policy, add_runbooks
from incident.core.folding import Draft
from incident.core.model import SEVERITIES, STATUSES, Incident
from incident.errors import Conflict, NotFound, Refused

ROLES = ("commander", "communications", "scribe")
_MAX_TEXT = 10_000

Args = Mapping[str, Any]


@dataclass(frozen=True)
class Act:
    """One action about to be taken. `say` adds its event, with the actor and the mouth."""

    draft: Draft
    number: int
    actor: Actor
    args: Args
    policy: Policy

    @property
    def incident(self) -> Incident:
        return self.draft.incidents[self.number]

    def say(self, kind: str, text: str, **data: Any) -> None:
        self.draft.add(self.number, kind, text, {**data, "via": self.actor.via}, self.actor.name)


@dataclass(frozen=True)
class Action:
    """`needs`: the least role. `keys`: the arguments it knows. `closed`: whether it works on a resolved incident."""

    run: Callable[[Act], None]
    needs: Role
    keys: tuple[str, ...]
    closed: bool = True


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
    _unchanged(incident, args)
    if not incident.open and not known.closed:
        raise Refused(f"#{incident.number} is resolved: reopen it first")
    known.run(Act(draft, incident.number, actor, args, policy))
    return incident.number


def _only(args: Args, keys: tuple[str, ...], action: str) -> None:
    unknown = sorted(set(args) - set(keys))
    if unknown:
        raise Refused(f"{action} knows no {readable(unknown[0])!r}: it takes {', '.join(keys)}")


def _unchanged(incident: Incident, args: Args) -> None:
    expected = args.get("expect_seq")
    if expected is not None and expected != incident.seq:
        raise Conflict(f"#{incident.number} has changed meanwhile: it is at event {incident.seq}, not {expected}", True)


def _text(args: Args, key: str = "text", required: bool = True) -> str:
    text = args.get(key)
    if text is None and not required:
        return ""
    if not isinstance(text, str) or (required and not text.strip()):
        raise Refused(f"{key} is missing: say something")
    if len(text) > _MAX_TEXT:
        raise Refused(f"{key} has {len(text)} characters; {_MAX_TEXT} is the most")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(f"{key} is not Unicode (a lone surrogate)") from None
    return text.strip().replace("\x00", "")


def _one_of(args: Args, key: str, words: tuple[str, ...]) -> str:
    value = args.get(key)
    if value not in words:
        raise Refused(f"{key} should be one of {', '.join(words)}, not {readable(str(value))!r}")
    return str(value)


def severity(args: Args) -> str:
    given = str(args.get("severity", "")).upper()
    return _one_of({"severity": f"SEV{given}" if given.isdigit() else given}, "severity", SEVERITIES)


def _open(draft: Draft, actor: Actor, args: Args, policy: Policy) -> int:
    actor.must_be(Role.RESPONDER, "open an incident")
    _only(args, ("title", "service", "severity", "text"), "open")
    title = readable(_text(args, "title"))
    service = readable(_text(args, "service", required=False)) or UNASSIGNED
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
    text = _text(args, required=False)
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
    act.say("note", _text(act.args))


def _update(act: Act) -> None:
    data: dict[str, Any] = {"public": _flag(act.args, "public")}
    text = _text(act.args)
    if act.args.get("text_zh") is not None:
        data["text_zh"] = _text(act.args, "text_zh")
    if act.args.get("status") is not None:
        status = _one_of(act.args, "status", STATUSES)
        if not act.incident.open and status != "resolved":
            raise Refused(f"#{act.number} is resolved: reopen it first, or send the update without a status")
        data |= {"status": status, "was": act.incident.status}
    if act.args.get("next_update_due") is not None:
        data["next_update_due"] = _instant(act.args["next_update_due"])
    elif data["public"] and act.incident.open:
        due = cadence.following(act.incident.opened_at, act.draft.now)
        data["next_update_due"] = None if due is None else due.isoformat()
    act.say("update", text, **data)


def _flag(args: Args, key: str) -> bool:
    value = args.get(key, False)
    if not isinstance(value, bool):
        raise Refused(f"{key} should be true or false, not {readable(str(value))!r}")
    return value


def _instant(value: Any) -> str:
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Refused(f"{readable(str(value))!r} is not a time: write one such as 2026-01-31T09:00:00+01:00") from None
    if instant.tzinfo is None:
        raise Refused(f"{value!r} does not say its time zone: write one such as 2026-01-31T09:00:00+01:00")
    return instant.isoformat()


def _assign(act: Act) -> None:
    role = _one_of(act.args, "role", ROLES)
    who = readable(_text(act.args, "who"))
    if act.incident.roles.get(role) != who:
        act.say("assigned", f"{role}: {who}", role=role, who=who)


def _sev(act: Act) -> None:
    was, now = act.incident.severity, severity(act.args)
    if was == now:
        return
    why = _text(act.args, required=False)
    channels = list(act.policy.route({**act.incident.labels, "severity": now})) if now < was else []
    act.say("severity", f"{was} → {now}" + (f": {why}" if why else ""), severity=now, was=was, channels=channels)


def _follow(act: Act) -> None:
    name = readable(_text(act.args, "name"))
    act.say("runbook", f"{act.actor.name} follows the runbook {name}", runbooks=[name])


def _resolve(act: Act) -> None:
    if act.incident.open:
        why = _text(act.args, required=False)
        act.say("resolved", f"Resolved by {act.actor.name}" + (f": {why}" if why else ""), was=act.incident.status)


def _reopen(act: Act) -> None:
    if act.incident.open:
        raise Refused(f"#{act.number} is open: there is nothing to reopen")
    why = _text(act.args, required=False)
    due = cadence.first(act.draft.now).isoformat()
    act.say("reopened", f"Reopened by {act.actor.name}" + (f": {why}" if why else ""), next_update_due=due)


ACTIONS: Mapping[str, Action] = {
    "ack": Action(_ack, Role.RESPONDER, (), closed=False),
    "note": Action(_note, Role.RESPONDER, ("text",)),
    "update": Action(_update, Role.RESPONDER, ("text", "text_zh", "public", "status", "next_update_due")),
    "assign": Action(_assign, Role.RESPONDER, ("role", "who")),
    "sev": Action(_sev, Role.RESPONDER, ("severity", "text")),
    "runbook": Action(_follow, Role.RESPONDER, ("name",)),
    "resolve": Action(_resolve, Role.RESPONDER, ("text",)),
    "reopen": Action(_reopen, Role.RESPONDER, ("text",)),
}
