"""The outbox's rows, and what channels remember of an incident. The caller is in a transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from incident.core.deliveries import PAGE, Message
from incident.store.sql import upsert
from incident.store.tables import channel_refs, deliveries

DUE, SENDING, DELIVERED, FAILED = "due", "sending", "delivered", "failed"
_FIELDS = tuple(item.name for item in fields(Message))
_WINDOW = 500  # rows of one channel looked at for the next to send


@dataclass(frozen=True)
class Claimed:
    """A delivery that is being sent. `attempts` counts this one."""

    id: int
    message: Message
    attempts: int
    created_at: datetime


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
            "message": {**{name: getattr(message, name) for name in _FIELDS}, "at": message.at.isoformat()},
        }
        for message in messages
    ]
    if rows:
        connection.execute(insert(deliveries), rows)


def is_any_due(connection: Connection, channel: str, now: datetime) -> bool:
    return any(_is_due(row, now) for row in _heads(connection, channel))


def claim(connection: Connection, channel: str, now: datetime) -> Claimed | None:
    """Marks the next delivery of a channel as being sent; None when none is due.

    Pages go first; within an incident the order is kept, so that one waiting to be tried again holds up its incident
    alone.
    """
    ready = [row for row in _heads(connection, channel) if _is_due(row, now)]
    for chosen in sorted(ready, key=lambda row: (row.kind != PAGE, row.id)):
        stored = connection.execute(select(deliveries.c.message).where(deliveries.c.id == chosen.id)).scalar_one()
        try:
            message = _message(stored)
        except (TypeError, KeyError, ValueError) as error:
            finish(connection, chosen.id, FAILED, now, f"the message cannot be read: {error}")
            continue
        change = update(deliveries).where(deliveries.c.id == chosen.id)
        connection.execute(change.values(state=SENDING, attempts=chosen.attempts + 1))
        return Claimed(chosen.id, message, chosen.attempts + 1, chosen.created_at)
    return None


def _heads(connection: Connection, channel: str) -> list[Row[Any]]:
    """The first waiting delivery of each incident."""
    columns = [deliveries.c[name] for name in ("id", "incident", "kind", "due_at", "wait_s", "attempts", "created_at")]
    mine = (deliveries.c.channel == channel, deliveries.c.state == DUE)
    heads: dict[int, Row[Any]] = {}
    for row in connection.execute(select(*columns).where(*mine).order_by(deliveries.c.id).limit(_WINDOW)):
        heads.setdefault(row.incident, row)
    return list(heads.values())


def _is_due(row: Row[Any], now: datetime) -> bool:
    """A due time further ahead than it was ever set means that the clock was set back: it does not make people wait."""
    due: datetime = row.due_at
    return due <= now or due - now > timedelta(seconds=row.wait_s + 1)


def _message(stored: Mapping[str, Any]) -> Message:
    return Message(**{**stored, "at": datetime.fromisoformat(stored["at"])})


def finish(connection: Connection, delivery: int, state: str, now: datetime, error: str | None = None) -> None:
    """`state`: delivered or failed, for good."""
    change = update(deliveries).where(deliveries.c.id == delivery)
    connection.execute(change.values(state=state, done_at=now, error=error))


def postpone(connection: Connection, delivery: int, now: datetime, wait_s: float, error: str) -> None:
    change = update(deliveries).where(deliveries.c.id == delivery)
    due = now + timedelta(seconds=wait_s)
    connection.execute(change.values(state=DUE, due_at=due, wait_s=wait_s, error=error))


def recover(connection: Connection, channels: Iterable[str], now: datetime) -> list[Message]:
    """After a start: what was being sent when the last process ended is due again, with the same key.

    Fails, and returns, the pages and updates for channels that are no longer configured.
    """
    connection.execute(
        update(deliveries).where(deliveries.c.state == SENDING).values(state=DUE, due_at=now, wait_s=0.0)
    )
    orphaned = (deliveries.c.state == DUE, deliveries.c.channel.not_in(list(channels)))
    messages = [
        _message(stored) for stored in connection.execute(select(deliveries.c.message).where(*orphaned)).scalars()
    ]
    gone = "this channel is no longer in shopwatch.yaml"
    connection.execute(update(deliveries).where(*orphaned).values(state=FAILED, done_at=now, error=gone))
    return messages


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
