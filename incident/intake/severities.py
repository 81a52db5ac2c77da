"""Senders that say that it is over with another severity than that it fires, as Nagios does (CRITICAL, then OK).

Where the severity is one of the labels, the word that it is over would otherwise name an alert that nobody knows.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from incident.intake.payload import alert
from incident.store import events as store
from probes.alert import Alert, fingerprint

if TYPE_CHECKING:
    from incident.desk import Desk

LABEL = "severity"


async def intake(desk: "Desk", alerts: Sequence[Alert], source: str, now: datetime) -> None:
    """Takes them in. What is over, and never fired with this severity, ends those whose other labels are alike.

    One that fired with this very severity ends alone: two severities of the same name may be two alerts.
    """
    graded = [one for one in alerts if LABEL in one.labels]
    if not graded:
        await desk.intake(alerts, source)
        return

    def known(connection: Connection) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for prefix in {_prefix(one) for one in graded if _over(one, now)}:
            found |= store.labels_under(connection, source, prefix)
        return found

    firing = await desk.database.read(known)
    ended = {_key(one): one for one in graded if _over(one, now)}
    meant = {
        key: alert(labels, one.annotations, over=True, now=now, hold=now - now, ends_at=one.ends_at)
        for one in ended.values()
        if _key(one) not in firing
        for key, labels in firing.items()
        if key.startswith(_prefix(one))
    }
    await desk.intake([*alerts, *(one for key, one in meant.items() if key not in ended)], source)

    def keep(connection: Connection) -> None:
        for key in (ended.keys() | meant.keys()) & firing.keys():
            store.forget(connection, source, key)
        for one in graded:
            if not _over(one, now):
                store.remember(connection, source, _key(one), one.labels, now)

    await desk.database.write(keep)


def _over(one: Alert, now: datetime) -> bool:
    return one.ends_at <= now


def _prefix(one: Alert) -> str:
    return f"~{fingerprint({name: value for name, value in one.labels.items() if name != LABEL})}~"


def _key(one: Alert) -> str:
    return _prefix(one) + fingerprint(one.labels)
