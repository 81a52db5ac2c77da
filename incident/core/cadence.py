"""When the public should hear next, unless somebody says otherwise. Pure.

The first public update is due within 5 minutes, then one every 20 for two hours; after that people know the rhythm.
"""

from datetime import datetime, timedelta

FIRST, NEXT, KEPT_UP = timedelta(minutes=5), timedelta(minutes=20), timedelta(hours=2)


def first(begun: datetime) -> datetime:
    """`begun`: when the incident opened, or opened again."""
    return begun + FIRST


def following(opened_at: datetime, spoken_at: datetime) -> datetime | None:
    """After a public update; None when the incident has gone on for so long that no default fits it."""
    return spoken_at + NEXT if spoken_at - opened_at < KEPT_UP else None
