"""Whom and what people mean by the names that they type: people of shopwatch.yaml, runbooks of the workspace.

A name that nobody has would stand in the record as if somebody were in charge.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from incident.core.actor import Actor, Role
from incident.core.alerts import readable
from incident.errors import Refused
from probes.files.mistakes import one_of

if TYPE_CHECKING:
    from incident.desk import Desk
    from incident.settings import Person

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_NEAR = 3  # names that are shown where one is not known


async def meant(desk: "Desk", action: str, actor: Actor, args: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments of an action with the names as they are known here. Raises NotAllowed; Refused for an unknown one.

    Where no people are configured, or no workspace is known, any name goes.
    """
    if action == "assign" and isinstance(args.get("who"), str) and desk.settings.people:
        actor.must_be(Role.RESPONDER, action)
        return {**args, "who": person(args["who"], desk.settings.people, actor)}
    folder = desk.reviews.folder
    if action == "runbook" and isinstance(args.get("name"), str) and folder is not None:
        from runbooks.library import Library

        actor.must_be(Role.RESPONDER, action)
        known = (await asyncio.to_thread(Library, folder)).runbooks
        return {**args, "name": _known(args["name"], known, "runbook", "`shopwatch runbook list` shows them all")}
    return args


def person(said: str, people: Mapping[str, "Person"], actor: Actor) -> str:
    """The key of the person who is meant, by it, by a mention in Slack or by the member's id there; or the actor."""
    name = said.strip()
    if name == actor.name:
        return name
    mention = _MENTION.fullmatch(name)
    member = mention[1] if mention else name.removeprefix("@")
    for key, one in people.items():
        if one.slack is not None and one.slack == member:
            return key
    if mention:
        raise Refused(f"no person in shopwatch.yaml has `slack: {member}`: add it to one of {one_of(people)}")
    return _known(name.removeprefix("@"), people, "person", "add whoever is missing to `people` in shopwatch.yaml")


def _known(said: str, names: Iterable[str], what: str, cure: str) -> str:
    known = {name.casefold(): name for name in names}
    found = known.get(said.strip().casefold())
    if found is not None:
        return found
    near = [known[name] for name in get_close_matches(said.casefold()[:100], known, _NEAR, 0.5)]
    hint = f"did you mean {one_of(near)}?" if near else f"there is {one_of(known.values())}"
    raise Refused(f"there is no {what} {readable(said)!r}: {hint} ({cure})")
