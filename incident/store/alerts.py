"""Alerts, by fingerprint. The caller is in a transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Integer, Select, bindparam, delete, func, literal_column, null, select, update

from incident.core.alerts import FIRING, RESOLVED, STALE, StoredAlert, merge, news
from incident.store.sql import upserting
from incident.store.statements import Many, Rows, among, texts
from incident.store.tables import alerts
from probes.labels import LabelMatcher, all_match

DECIDED, WAITING, ASIDE = 0, 1, 2
SENT_AGAIN_WITHIN = timedelta(minutes=2)  # Prometheus does so every minute unless told otherwise


def take_in(connection: Connection, incoming: Iterable[StoredAlert]) -> int:
    """Merges these, in their order, into what is known. Returns how many of them the engine has to look at."""
    batch = list(incoming)
    known = _standing(connection, {alert.fingerprint for alert in batch})
    changed: dict[str, StoredAlert] = {}
    waiting = {fingerprint for fingerprint, there in known.items() if there.pending}
    for alert in batch:
        old = changed.get(alert.fingerprint) or known.get(alert.fingerprint)
        merged = alert if old is None else merge(old, alert)
        if news(old, merged):
            waiting.add(alert.fingerprint)
        changed[alert.fingerprint] = merged
    repeated, others = [], []
    for fingerprint, alert in changed.items():
        pending = WAITING if fingerprint in waiting else DECIDED
        there = known.get(fingerprint)
        if there and (there.incident, there.muted, there.pending) == (alert.incident, alert.muted, pending):
            repeated.append((*_of_a_repeat(alert), fingerprint))
        else:
            others.append((*_values(alert), pending))
    _REPEAT(connection, repeated)
    _STORE(connection, others)
    return len(waiting)


class _Standing(NamedTuple):
    """What decides how a newer word is merged, without the alert's texts."""

    fingerprint: str
    pending: int
    starts_at: datetime
    ends_at: datetime
    state: str
    timeout: bool
    incident: int | None
    muted: Mapping[str, list[str]] | None


_COLUMNS = tuple(item.name for item in fields(StoredAlert))
_ALERTS: Select[Any] = select(*(alerts.c[name] for name in _COLUMNS))
_OF_A_REPEAT = tuple(name for name in _COLUMNS if name not in ("fingerprint", "labels", "incident", "muted"))
_values, _of_a_repeat = attrgetter(*_COLUMNS), attrgetter(*_OF_A_REPEAT)
_STORE = Many(
    lambda dialect: upserting(dialect, alerts, [*_COLUMNS, "pending"]).values(
        {name: bindparam(name) for name in (*_COLUMNS, "pending")}
    ),
    [*_COLUMNS, "pending"],
)
_REPEAT = Many(
    lambda _: (
        update(alerts)
        .where(alerts.c.fingerprint == bindparam("key"))
        .values({name: bindparam(name, type_=alerts.c[name].type) for name in _OF_A_REPEAT})
    ),
    [*_OF_A_REPEAT, "key"],
)
_DECIDED = Many(
    lambda _: (
        update(alerts)
        .where(alerts.c.fingerprint == bindparam("key"))
        .values(incident=bindparam("number"), pending=literal_column(str(DECIDED)), problem=null())
    ),
    ["key", "number"],
)
_KNOWN = Rows(
    lambda dialect: select(*(alerts.c[name] for name in _Standing._fields)).where(among(dialect, alerts.c.fingerprint))
)
_NAMED = Rows(lambda dialect: _ALERTS.where(among(dialect, alerts.c.fingerprint)))
_WAITING = Rows(
    lambda _: (
        _ALERTS.where(alerts.c.pending == WAITING)
        .order_by(alerts.c.updated_at, alerts.c.fingerprint)
        .limit(bindparam("most", type_=Integer))
    )
)


def _standing(connection: Connection, fingerprints: Collection[str]) -> dict[str, _Standing]:
    rows = _KNOWN(connection, keys=texts(connection.dialect.name, fingerprints))
    return {row[0]: _Standing(*row) for row in rows}


def _alert(row: Sequence[Any]) -> StoredAlert:
    """`row` has the columns of `_ALERTS`."""
    return StoredAlert(*row)


def active(connection: Connection, now: datetime) -> list[StoredAlert]:
    """Those that fire: neither resolved nor stale, nor past their end. In the order of their fingerprints."""
    query = _ALERTS.where(alerts.c.state == FIRING, alerts.c.ends_at > now).order_by(alerts.c.fingerprint)
    return [_alert(row) for row in connection.execute(query).all()]


def not_over(connection: Connection, source: str, alertnames: Iterable[str]) -> list[StoredAlert]:
    """Of this source and these names: what fires or has gone stale."""
    query = _ALERTS.where(alerts.c.source == source, alerts.c.state != RESOLVED)
    names = frozenset(alertnames)
    return [alert for row in connection.execute(query) if (alert := _alert(row)).labels.get("alertname", "") in names]


def last_heard(connection: Connection, matchers: Sequence[LabelMatcher]) -> datetime | None:
    """When the last word came of any alert that these match, whatever has become of it."""
    query = select(alerts.c.labels, alerts.c.updated_at)
    for matcher in matchers:
        if matcher.is_equal and not matcher.is_regex and matcher.value:
            query = query.where(alerts.c.labels[matcher.name].as_string() == matcher.value)
    rows = connection.execute(query)
    return max((row.updated_at for row in rows if all_match(matchers, row.labels)), default=None)


def undecided(connection: Connection) -> bool:
    """Whether any alert changed since the engine last looked."""
    query = select(alerts.c.fingerprint).where(alerts.c.pending == WAITING).limit(1)
    return connection.execute(query).first() is not None


def firing(connection: Connection) -> list[StoredAlert]:
    """Those that no source ended and whose silence nobody noticed yet, past their end or not."""
    query = _ALERTS.where(alerts.c.state == FIRING).order_by(alerts.c.starts_at, alerts.c.fingerprint)
    return [_alert(row) for row in connection.execute(query)]


def muted(connection: Connection) -> list[StoredAlert]:
    return [_alert(row) for row in connection.execute(_ALERTS.where(alerts.c.muted.is_not(None)))]


def by_fingerprint(connection: Connection, fingerprints: Iterable[str]) -> list[StoredAlert]:
    return [_alert(row) for row in _NAMED(connection, keys=texts(connection.dialect.name, set(fingerprints)))]


def mute(connection: Connection, muted: Mapping[str, Mapping[str, list[str]] | None], pending: int | None) -> None:
    """Writes why these are held back (None: they no longer are), and `pending` unless that is None."""
    if not muted:
        return
    values: dict[str, Any] = {"muted": bindparam("why")} | ({} if pending is None else {"pending": pending})
    change = update(alerts).where(alerts.c.fingerprint == bindparam("key")).values(**values)
    connection.execute(change, [{"key": key, "why": why} for key, why in muted.items()])


def expire(connection: Connection, now: datetime, listening_since: datetime) -> None:
    """Those whose end has passed without a word from their source are stale from now on.

    What ended while nobody was listening here has a while to be sent again: the silence was ours.
    """
    overdue = [alerts.c.state == FIRING, alerts.c.ends_at <= now]
    if listening_since <= now < listening_since + SENT_AGAIN_WITHIN:
        overdue.append(alerts.c.ends_at >= listening_since)
    connection.execute(update(alerts).where(*overdue).values(state=STALE, pending=WAITING))


def next_expiry(connection: Connection, now: datetime) -> datetime | None:
    ahead = (alerts.c.state == FIRING, alerts.c.ends_at > now)
    return connection.execute(select(func.min(alerts.c.ends_at)).where(*ahead)).scalar()


def waiting(connection: Connection, limit: int) -> list[StoredAlert]:
    """Those that the engine has not looked at since they changed, in the order in which they came."""
    return [_alert(row) for row in _WAITING(connection, most=limit)]


def decided(connection: Connection, looked_at: Iterable[StoredAlert], belongs: Mapping[str, int]) -> None:
    """The engine has looked at these; `belongs` says the incident, of these or of others that changed theirs."""
    numbers = {alert.fingerprint: alert.incident for alert in looked_at} | dict(belongs)
    _DECIDED(connection, numbers.items())


def move(connection: Connection, belongs: Mapping[str, int | None]) -> None:
    """These alerts are of other incidents now, or of none."""
    if belongs:
        change = update(alerts).where(alerts.c.fingerprint == bindparam("key")).values(incident=bindparam("number"))
        connection.execute(change, [{"key": key, "number": number} for key, number in belongs.items()])


def of_journeys(connection: Connection) -> list[StoredAlert]:
    """Those that fire, belong to an incident, and name the run in which they were seen."""
    fires = (alerts.c.state == FIRING, alerts.c.incident.is_not(None))
    named = (alerts.c.labels["journey"].as_string().is_not(None), alerts.c.annotations["run"].as_string().is_not(None))
    return [_alert(row) for row in connection.execute(_ALERTS.where(*fires, *named).limit(200))]


def set_aside(connection: Connection, fingerprint: str, problem: str) -> None:
    """The engine could not decide on this one. It looks again when the alert is sent again."""
    change = update(alerts).where(alerts.c.fingerprint == fingerprint)
    connection.execute(change.values(pending=ASIDE, problem=problem[:2000]))


def count(connection: Connection) -> dict[str, int]:
    """By state, and `aside` for those that the engine could not decide on."""
    rows = connection.execute(select(alerts.c.state, func.count().label("number")).group_by(alerts.c.state))
    aside = connection.execute(select(func.count()).where(alerts.c.pending == ASIDE)).scalar_one()
    return {**{row.state: row.number for row in rows}, "aside": aside}


def prune(connection: Connection, resolved_before: datetime, stale_before: datetime) -> None:
    for state, before in ((RESOLVED, resolved_before), (STALE, stale_before)):
        old = (alerts.c.state == state, alerts.c.ends_at < before, alerts.c.pending == DECIDED)
        connection.execute(delete(alerts).where(*old))
