"""The outbox's rows, and what channels remember of an incident. The caller is in a transaction.

A row holds what cannot be had from elsewhere: the event is in the record, and a long list of alerts is folded from it
as it was then. So each attempt says the same, and a storm's rows stay small.

Who takes a delivery up holds it until `due_at`: past that, another process may take it up, or the same after a crash.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Update, func, insert, select, update

from incident.core.deliveries import PAGE, Message
from incident.core.folding import fold
from incident.core.redaction import BLANK
from incident.store.incidents import timeline
from incident.store.sql import upsert
from incident.store.tables import channel_refs, deliveries

DUE, SENDING, DELIVERED, FAILED = "due", "sending", "delivered", "failed"
_WINDOW = 500  # rows of one channel looked at for the next to send
_FEW = 50  # alerts that a row lists itself


@dataclass(frozen=True)
class Chosen:
    """A delivery whose turn it is. `attempts` counts the one that begins now."""

    id: int
    attempts: int
    created_at: datetime


@dataclass(frozen=True)
class Claimed(Chosen):
    message: Message


@dataclass(frozen=True)
class Unreadable(Chosen):
    problem: str


def add(connection: Connection, messages: Sequence[Message], now: datetime) -> None:
    rows = [
        {
            "key": message.key,
            "incident": message.number,
            "seq": message.event["seq"],
            "channel": message.channel,
            "kind": message.kind,
            "state": DUE,
            "attempts": 0,
            "created_at": now,
            "due_at": now,
            "wait_s": 0.0,
            "message": _stored(message),
        }
        for message in messages
    ]
    if rows:
        connection.execute(insert(deliveries), rows)


def _stored(message: Message) -> dict[str, Any]:
    incident = message.incident
    if len(incident["alerts"]) > _FEW:
        incident = {**incident, "alerts": None}
    return {"text": message.text, "incident": incident}


def _message(connection: Connection, row: Row[Any]) -> Message:
    stored: dict[str, Any] = row.message
    if "event" in stored:  # of a version that kept everything in the row
        return Message(**{**stored, "at": datetime.fromisoformat(stored["at"])})
    incident = stored["incident"]
    if incident["alerts"] is None:
        then = fold(timeline(connection, row.incident, upto=incident["seq"]))
        incident = {**incident, "alerts": list(then.alerts)}
    [event] = timeline(connection, row.incident, after=row.seq - 1, upto=row.seq)
    return Message(row.key, row.channel, row.kind, row.incident, event.at, stored["text"], incident, event.to_json())


def next_due(connection: Connection, channel: str, now: datetime) -> Claimed | Unreadable | None:
    """The delivery of a channel that is to be sent next; None when none is due. It is not taken up yet.

    Pages go first; within an incident the order is kept, so that one waiting to be tried again holds up its incident
    alone.
    """
    ready = [row for row in _heads(connection, channel) if _is_due(row, now)]
    if not ready:
        return None
    chosen = min(ready, key=lambda row: (row.kind != PAGE, row.id))
    row = connection.execute(select(deliveries).where(deliveries.c.id == chosen.id)).one()
    turn = (row.id, row.attempts + 1, row.created_at)
    try:
        return Claimed(*turn, _message(connection, row))
    except (TypeError, KeyError, ValueError) as error:
        return Unreadable(*turn, f"the message cannot be read: {error}")


def take_up(connection: Connection, chosen: Chosen, now: datetime, lease_s: float) -> bool:
    """Marks it as being sent. Returns whether it was still to be had: another process may have been faster."""
    mine = (deliveries.c.id == chosen.id, deliveries.c.attempts == chosen.attempts - 1)
    waits = deliveries.c.state.in_((DUE, SENDING))
    until = now + timedelta(seconds=lease_s)
    change = update(deliveries).where(*mine, waits)
    taken = connection.execute(change.values(state=SENDING, attempts=chosen.attempts, due_at=until, wait_s=lease_s))
    return taken.rowcount == 1


def _heads(connection: Connection, channel: str) -> list[Row[Any]]:
    """The first delivery of each incident that is not out yet."""
    columns = [deliveries.c[name] for name in ("id", "incident", "kind", "due_at", "wait_s", "attempts", "created_at")]
    mine = (deliveries.c.channel == channel, deliveries.c.state.in_((DUE, SENDING)))
    heads: dict[int, Row[Any]] = {}
    for row in connection.execute(select(*columns).where(*mine).order_by(deliveries.c.id).limit(_WINDOW)):
        heads.setdefault(row.incident, row)
    return list(heads.values())


def _is_due(row: Row[Any], now: datetime) -> bool:
    """A due time further ahead than it was ever set means that the clock was set back: it does not make people wait."""
    due: datetime = row.due_at
    return due <= now or due - now > timedelta(seconds=row.wait_s + 1)


def finish(connection: Connection, claimed: Chosen, state: str, now: datetime, error: str | None = None) -> bool:
    """`state`: delivered or failed, for good. Returns whether it was still ours to finish."""
    done = connection.execute(_held(claimed).values(state=state, done_at=now, error=error))
    return done.rowcount == 1


def postpone(connection: Connection, claimed: Chosen, now: datetime, wait_s: float, error: str) -> None:
    due = now + timedelta(seconds=wait_s)
    connection.execute(_held(claimed).values(state=DUE, due_at=due, wait_s=wait_s, error=error))


def _held(claimed: Chosen) -> Update:
    """Where nobody has taken it up since."""
    mine = (deliveries.c.id == claimed.id, deliveries.c.state == SENDING, deliveries.c.attempts == claimed.attempts)
    return update(deliveries).where(*mine)


def release(connection: Connection, now: datetime) -> None:
    """What was being sent when the last process ended is due again. Only where there can be no other process."""
    held = update(deliveries).where(deliveries.c.state == SENDING)
    connection.execute(held.values(state=DUE, due_at=now, wait_s=0.0))


def give_up(connection: Connection, channels: Iterable[str], now: datetime) -> list[Message]:
    """Fails, and returns, the pages and updates for channels that are not among these."""
    orphaned = (deliveries.c.state == DUE, deliveries.c.channel.not_in(list(channels)))
    rows = connection.execute(select(deliveries).where(*orphaned).order_by(deliveries.c.id)).all()
    gone = "this channel is no longer in shopwatch.yaml"
    connection.execute(update(deliveries).where(*orphaned).values(state=FAILED, done_at=now, error=gone))
    return [_message(connection, row) for row in rows]


def recent(connection: Connection, incident: int | None, limit: int) -> list[dict[str, Any]]:
    """Newest first, as JSON."""
    query = select(deliveries).order_by(deliveries.c.id.desc()).limit(limit)
    if incident is not None:
        query = query.where(deliveries.c.incident == incident)
    return [_shown(row) for row in connection.execute(query)]


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "key": row.key,
        "incident": row.incident,
        "seq": row.seq,
        "channel": row.channel,
        "kind": row.kind,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": row.created_at.isoformat(),
        "due_at": row.due_at.isoformat(),
        "done_at": None if row.done_at is None else row.done_at.isoformat(),
        "error": row.error,
        "text": row.message.get("text"),
    }


def count(connection: Connection) -> dict[tuple[str, str], int]:
    """By channel and outcome: delivered, failed, and retried for the attempts that had to be repeated."""
    table = deliveries.c
    query = select(table.channel, table.state, func.count(), func.sum(table.attempts)).group_by(
        table.channel, table.state
    )
    found: dict[tuple[str, str], int] = {}
    for channel, state, number, attempts in connection.execute(query):
        if state in (DELIVERED, FAILED):
            found[channel, state] = number
        again = max(0, attempts - number)
        found[channel, "retried"] = found.get((channel, "retried"), 0) + again
    return found


def oldest_due(connection: Connection) -> datetime | None:
    """When the oldest that is not out yet was caused."""
    return connection.execute(
        select(func.min(deliveries.c.created_at)).where(deliveries.c.state.in_((DUE, SENDING)))
    ).scalar()


def get_ref(connection: Connection, channel: str, incident: int) -> dict[str, Any] | None:
    mine = (channel_refs.c.channel == channel, channel_refs.c.incident == incident)
    found: dict[str, Any] | None = connection.execute(select(channel_refs.c.data).where(*mine)).scalar()
    return found


def set_ref(connection: Connection, channel: str, incident: int, data: Mapping[str, Any]) -> None:
    upsert(connection, channel_refs, [{"channel": channel, "incident": incident, "data": dict(data)}])


def blank(connection: Connection, number: int, seq: int) -> None:
    """Takes the words of a redacted event out of the messages that it caused, and out of those that show its state.

    The first event is the incident's title, which every message names.
    """
    rows = connection.execute(select(deliveries.c.id, deliveries.c.seq, deliveries.c.message).where(_of(number)))
    for row in rows.all():
        stored = dict(row.message)
        if seq in (row.seq, 1):
            stored["text"] = BLANK
        if isinstance(stored.get("incident"), dict):
            title = {"title": BLANK} if seq == 1 else {}
            stored["incident"] = {**stored["incident"], "tasks": [], "causes": [], "attachments": [], **title}
        if row.seq == seq and "event" in stored:
            stored["event"] = {**stored["event"], "text": BLANK, "data": {}}
        connection.execute(update(deliveries).where(deliveries.c.id == row.id).values(message=stored))


def _of(number: int) -> ColumnElement[bool]:
    return deliveries.c.incident == number
