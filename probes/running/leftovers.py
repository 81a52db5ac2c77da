"""What cleanup has undone and what is left, and when it is tried again. Pure: `now` is handed in."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from probes.language.journey import Account, Journey
from probes.running.ledger import UNSURE, Entry
from probes.running.making import creator, named, needs

FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
LONGEST_ASKED = timedelta(days=1)  # of a Retry-After that is obeyed
SETTLING = timedelta(seconds=60)  # for so long a shop may still be at work on a request that got no answer
FIXED = frozenset({"account", "run_id", "now", "uuid", "vars"})


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of one step of a cleanup. `names`: what it speaks of; `missing`: those that it could not do without;
    `failed`: why it failed, None where it did not."""

    names: AbstractSet[str]
    missing: AbstractSet[str] = frozenset()
    failed: str | None = None


def trouble(own: AbstractSet[str], steps: Sequence[Cleaned]) -> str | None:
    """Why a thing cannot count as undone, None where it can.

    `own`: the names that the step which made it saves or speaks of. Where the cleanup speaks of them, what it lacks
    for other things does not matter to this one.
    """
    failed = next((step.failed for step in steps if step.failed is not None), None)
    if failed is not None:
        return failed
    lacking = frozenset().union(*(step.missing for step in steps))
    if any(own & step.names for step in steps):
        lacking &= own
    if lacking:
        return f"cleanup needs {', '.join(sorted(lacking))}, which never came back from the shop"
    if all(step.missing for step in steps):
        return "no step of the cleanup had anything to do with it"
    return None


def after(
    entry: Entry,
    own: AbstractSet[str],
    steps: Sequence[Cleaned],
    *,
    began: datetime,
    now: datetime,
    asked: float | None = None,
) -> tuple[str, dict[str, Any]]:
    """The state of an entry once cleanup, begun at `began`, has ended, and what else changes in it.

    What only may have been made counts as undone by a cleanup alone that began after the shop can have been at work on
    the request: before that, it may come to be behind our back. `asked`: seconds that the shop wants to be left alone.
    """
    attempts = entry.attempts + 1
    why = trouble(own, steps)
    sure = entry.began + SETTLING
    if why is None and (entry.state not in UNSURE or entry.answered or began >= sure):
        return "undone", {"attempts": attempts, "detail": None, "due": None}
    if why is None:
        detail = "its answer never came: looked once, and will look again when the shop must be done with it"
        return "unknown", {"attempts": attempts, "detail": detail, "due": sure.isoformat()}
    failed = any(step.failed is not None for step in steps)
    state = "unknown" if entry.state in UNSURE else "failed" if failed else entry.state
    return state, {"attempts": attempts, "detail": why, "due": due_after(attempts, now, asked).isoformat()}


def due_after(attempts: int, now: datetime, asked: float | None = None) -> datetime:
    """When to try again after so many attempts: 10 s, 20 s, 40 s … an hour; later where the shop asks for it."""
    wait = min(FIRST_WAIT * (1 << min(attempts - 1, 20)), LONGEST_WAIT)
    if asked is not None:
        wait = max(wait, min(timedelta(seconds=asked), LONGEST_ASKED))
    return now + wait


def is_due(entry: Entry, now: datetime) -> bool:
    return entry.open and (entry.next_attempt is None or entry.next_attempt <= now)


def obstacle(entry: Entry, journeys: Mapping[str, Journey]) -> str | None:
    """Why trying would be in vain, from what is known without asking the shop; None where it is worth a try."""
    journey = journeys.get(entry.journey)
    if journey is None:
        return f"the journey {entry.journey} is no longer in this workspace"
    if not journey.cleanup:
        return f"the journey {entry.journey} has no cleanup"
    if entry.account is not None and account_of(entry, journey) is None:
        return f"the account {entry.account} is no longer in the journey {entry.journey}"
    known = {*FIXED, *journey.vars, *entry.saved, *entry.kept}
    steps: list[Cleaned] = []
    for model in journey.cleanup:
        missing = needs(model) - known
        steps.append(Cleaned(named(model), missing))
        known |= set() if missing else set(model.save)
    return trouble(own_names(entry, journey), steps)


def account_of(entry: Entry, journey: Journey) -> Account | None:
    return next((account for account in journey.accounts if account.user == entry.account), None)


def own_names(entry: Entry, journey: Journey) -> AbstractSet[str]:
    """Empty where the step that made it is no longer in the journey."""
    model = creator(journey, entry.step)
    if model is None or model.creates is None:
        return frozenset()
    return {*model.save, *model.creates.names} - FIXED - journey.vars.keys()
