"""The engine's cycle: what alerts and passing time have brought about since the last one is decided and committed.

Each step is one transaction. What cannot be decided on (a defect, or something nobody thought of) is set aside, said
loudly, and stops nothing else.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from incident.closing import obstacles
from incident.core.alerts import StoredAlert
from incident.core.apart import apart_due, left_behind, stand_apart
from incident.core.decide import Policy, decide, decide_time, resolve_due
from incident.core.deliveries import Telling
from incident.core.folding import Draft
from incident.core.model import Incident
from incident.daemon.bell import heard
from incident.daemon.committing import commit
from incident.daemon.crowds import Crowds
from incident.daemon.holding import Holding
from incident.errors import Conflict, IncidentError, StoreFull, StoreUnavailable
from incident.orders import at_hand
from incident.reviews.recalling import recall
from incident.silences.store import next_reminder
from incident.silences.telling import remind
from incident.store import alerts as alert_store
from incident.store import drills as drill_store
from incident.store import incidents as incident_store
from incident.store import locations as location_store
from incident.store.open_shelf import OpenShelf

if TYPE_CHECKING:
    from incident.desk import Desk

log = structlog.get_logger("incident.daemon.engine")

_AT_ONCE = 10_000  # alerts decided on in one transaction: whole storms, whose root may have come last
_LEAST_GAP = 0.02  # seconds between cycles: the first alert waits for nothing
_GAP = 0.2  # after a cycle with news
_STORM_GAP = 1.0  # in a storm
_LONGEST_GAP = 3.0  # while crowds of alerts come it doubles, up to this: a storm becomes a few events
_LET_COME = 2.0  # seconds for the rest of a crowd, before anybody is paged: its cause may come last
_REST = 9.0  # times what a cycle with news took: in a flood, taking alerts in comes first
_AWAY = timedelta(seconds=30)  # between two cycles: the machine slept, or its clock was set; nobody could be heard
_LATE = timedelta(seconds=1)  # what could not be done when it was due is looked at again after that
_IDLE = 1.0  # seconds between cycles at the most: whatever the clock does, nothing due waits longer


@dataclass(frozen=True)
class Step:
    """What one transaction did. `more`: alerts are still waiting. `next_due`: when something happens by itself.

    `hesitates`: it has left the alerts waiting, since incidents would open for them that may have one cause.
    """

    events: int
    messages: int
    more: bool
    next_due: datetime | None
    hesitates: bool = False


class _OneCause(Exception):
    """Several incidents would open whose services need the same."""


def step(
    connection: Connection,
    now: datetime,
    policy: Policy,
    telling: Telling,
    *,
    listening_since: datetime,
    holding: Holding,
    shelf: OpenShelf,
    patient: bool = False,
) -> Step:
    """Decides on the alerts that wait and are not held back, and on what is due at `now`.

    `listening_since`: when this process started. `shelf`: the open incidents; it forgets where this comes to nothing.
    `patient`: it may hesitate.
    """
    alert_store.expire(connection, now, listening_since)
    policy = replace(
        policy,
        drills=tuple(drill_store.unfinished(connection, now)),
        obstacles=lambda incident: obstacles(connection, incident, now),
        scale=replace(
            policy.scale, locations=location_store.heard(connection), orders=at_hand(connection, policy, now)
        ),
    )
    waiting = alert_store.waiting(connection, _AT_ONCE)
    judged = holding.judge(connection, waiting, now)
    heard_of = [alert for alert in waiting if alert.fingerprint not in judged.held]
    at = _At(connection, now, policy, telling, shelf, patient)
    done, hesitates = [], False
    try:
        done.append(_decide_on(at, heard_of))
    except _OneCause:
        hesitates = True
    done.append(_time(at, shelf.listed(connection)))
    open_now = shelf.listed(connection)
    done.append(remind(connection, now, telling))
    dues: list[datetime | None] = [due(one, policy) for one in open_now for due in (resolve_due, apart_due)]
    dues += [alert_store.next_expiry(connection, now), holding.edge, next_reminder(connection)]
    return Step(
        events=sum(events for events, _ in done),
        messages=sum(messages for _, messages in done),
        more=(len(waiting) == _AT_ONCE or judged.again) and not hesitates,
        next_due=min((due if due > now else now + _LATE for due in dues if due is not None), default=None),
        hesitates=hesitates,
    )


@dataclass(frozen=True)
class _At:
    """Where and when a step decides."""

    connection: Connection
    now: datetime
    policy: Policy
    telling: Telling
    shelf: OpenShelf
    patient: bool

    def commit(self, draft: Draft, before: Sequence[Incident]) -> tuple[int, int]:
        """Returns how many events and messages there were."""
        messages = commit(self.connection, draft, before, self.telling)
        self.shelf.keep(draft.incidents[number] for number in {event.incident for event in draft.events})
        return len(draft.events), messages


def _decide_on(at: _At, waiting: Sequence[StoredAlert]) -> tuple[int, int]:
    if not waiting:
        return 0, 0
    try:
        with at.connection.begin_nested():
            return _decide(at, waiting)
    except (SQLAlchemyError, Conflict, _OneCause):
        raise
    except Exception as error:
        at.shelf.forget()
        if len(waiting) > 1:  # one of them is the culprit: the halves find it
            middle = len(waiting) // 2
            halves = [_decide_on(at, half) for half in (waiting[:middle], waiting[middle:])]
            return sum(events for events, _ in halves), sum(messages for _, messages in halves)
        log.exception("alert set aside", fingerprint=waiting[0].fingerprint, error=str(error))
        alert_store.set_aside(at.connection, waiting[0].fingerprint, f"{type(error).__name__}: {error}")
        return 0, 0


def _decide(at: _At, waiting: Sequence[StoredAlert]) -> tuple[int, int]:
    connection = at.connection
    concerned = at.shelf.listed(connection)
    known = {incident.number for incident in concerned}
    own = {alert.incident for alert in waiting if alert.incident is not None} - known
    while own:  # and those that they go on in
        found = incident_store.by_number(connection, own)
        concerned += found
        known |= own
        own = {one.merged_into for one in found if one.merged_into is not None} - known
    draft = Draft(concerned, incident_store.next_number(connection), at.now)
    belongs = decide(waiting, draft, at.policy)
    if at.patient and _may_have_one_cause(draft, at.policy):
        raise _OneCause
    recall(connection, draft)
    alert_store.decided(connection, waiting, belongs)
    return at.commit(draft, concerned)


def _may_have_one_cause(draft: Draft, policy: Policy) -> bool:
    new = {draft.incidents[event.incident].service for event in draft.events if event.kind == "opened"}
    return any(policy.services.both_need(one, other) is not None for one in new for other in new if one < other)


def _time(at: _At, open_now: Sequence[Incident]) -> tuple[int, int]:
    events = messages = 0
    for incident in open_now:
        due = [one for ask in (resolve_due, apart_due) if (one := ask(incident, at.policy)) is not None]
        if not due or min(due) > at.now:
            continue
        try:
            with at.connection.begin_nested():
                for done in (_pass_time, _part):
                    more = done(at, incident)
                    events, messages = events + more[0], messages + more[1]
        except (SQLAlchemyError, Conflict):
            raise
        except Exception as error:
            at.shelf.forget()
            log.exception("incident passed over", incident=incident.number, error=str(error))
    return events, messages


def _pass_time(at: _At, incident: Incident) -> tuple[int, int]:
    draft = Draft([incident], 0, at.now)
    decide_time(incident, draft, at.policy)
    return at.commit(draft, [incident])


def _part(at: _At, incident: Incident) -> tuple[int, int]:
    """What goes on without the incident's own trouble stands on its own again, when that is due."""
    due = apart_due(incident, at.policy)
    if due is None or due > at.now:
        return 0, 0
    concerned = at.shelf.listed(at.connection)
    if incident not in concerned:  # another one that was parted a moment ago has taken it in
        return 0, 0
    concerned += incident_store.by_number(at.connection, map(int, incident.taken_in))
    concerned = list({one.number: one for one in concerned}.values())
    draft = Draft(concerned, incident_store.next_number(at.connection), at.now)
    behind = alert_store.by_fingerprint(at.connection, left_behind(incident))
    belongs = stand_apart(incident, behind, draft, at.policy)
    recall(at.connection, draft)
    alert_store.move(at.connection, belongs)
    return at.commit(draft, concerned)


async def run(desk: "Desk") -> None:
    """Cycles for ever: when something came in, and when the next thing is due."""
    last, gap, crowds = desk.now(), _LEAST_GAP, Crowds()
    while True:
        desk.wake.clear()
        crowds.look(desk.gathering.news, time.monotonic())
        wait, decided = _IDLE, desk.cycling.decided
        try:
            now = desk.now()
            if now - last > _AWAY:
                log.warning("away for a while", seconds=round((now - last).total_seconds()))
                desk.was_away(now)
            last = now
            due = await _cycle(desk, crowds)
            if due is not None:
                wait = max(0.0, min(wait, (due - desk.now()) / timedelta(seconds=1)))
        except (StoreFull, StoreUnavailable) as error:
            log.debug("cycle failed", error=str(error))  # the store itself has said so, and does not flood
        except IncidentError as error:
            log.error("cycle failed", error=str(error))
        except Exception:
            log.exception("cycle broke")
        news = desk.cycling.decided > decided
        gap = _next_gap(gap if crowds.come else 0.0, desk.cycling.last_s, crowds.storm) if news else _LEAST_GAP
        await asyncio.sleep(gap)
        await heard(desk.wake, wait)


async def _cycle(desk: "Desk", crowds: Crowds) -> datetime | None:
    """Where it may be better to wait for what comes with the alerts that are there, it waits once."""
    if crowds.begins and desk.cascades:
        await _let_come(desk, crowds)
    due = await desk.cycle(desk.now(), storm=crowds.storm, patient=desk.cascades and not crowds.come)
    if not desk.cycling.hesitates:
        return due
    await _let_come(desk, crowds)
    return await desk.cycle(desk.now(), storm=crowds.storm)


async def _let_come(desk: "Desk", crowds: Crowds) -> None:
    await asyncio.sleep(_LET_COME)
    crowds.let_come(desk.gathering.news, time.monotonic())


def _next_gap(gap: float, took: float, storm: bool) -> float:
    """After a cycle with news that took so many seconds."""
    return min(max(2 * gap, _STORM_GAP if storm else _GAP, _REST * took), _LONGEST_GAP)
