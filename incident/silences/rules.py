"""What posting or ending a silence does to it. Pure.

Source: Alertmanager, silence/silence.go (Set, canUpdate, expire).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from incident.core.muting.silences import Silence, State
from incident.core.muting.windows import Recurrence
from incident.errors import Refused
from probes.labels import LabelMatcher

REMIND_AHEAD = timedelta(minutes=15)  # before the end, and at most a quarter of the whole
_MOST_MATCHERS, _MOST_TEXT = 64, 10_000
_LONGEST_NAME, _LONGEST_VALUE = 256, 16 * 1024


@dataclass(frozen=True)
class Wanted:
    """A silence as somebody wishes it. `until`: the end of one that recurs; None: it has none."""

    matchers: tuple[LabelMatcher, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    recurrence: Recurrence | None = None
    until: datetime | None = None
    id: str | None = None

    @property
    def end(self) -> datetime | None:
        return self.ends_at if self.recurrence is None else self.until


def check(wanted: Wanted, now: datetime) -> None:
    """Raises Refused."""
    if wanted.starts_at >= wanted.ends_at:
        raise Refused("Failed to create silence: start time must be before end time")
    end = wanted.end
    if end is not None and end < now:
        raise Refused("Failed to create silence: end time can't be in the past")
    if not wanted.matchers:
        raise Refused("invalid silence: at least one matcher required")
    if all(matcher.is_equal and matcher.matches({}) for matcher in wanted.matchers):
        raise Refused("invalid silence: at least one matcher must not match the empty string")
    _bounded(wanted)


def _bounded(wanted: Wanted) -> None:
    if len(wanted.matchers) > _MOST_MATCHERS:
        raise Refused(f"invalid silence: {len(wanted.matchers)} matchers; {_MOST_MATCHERS} is the most")
    for index, matcher in enumerate(wanted.matchers):
        if not matcher.name or len(matcher.name) > _LONGEST_NAME:
            raise Refused(f'invalid silence: invalid label matcher {index}: invalid label name "{matcher.name[:64]}"')
        if len(matcher.value) > _LONGEST_VALUE:
            raise Refused(f"invalid silence: invalid label matcher {index}: a value of {len(matcher.value)} characters")
    texts = (wanted.comment, wanted.created_by, *wanted.annotations, *wanted.annotations.values())
    if max(map(len, texts)) > _MOST_TEXT or len(wanted.annotations) > _MOST_MATCHERS:
        raise Refused(f"invalid silence: a text is longer than {_MOST_TEXT} characters, or there are too many")


def changed(old: Silence, wanted: Wanted, now: datetime) -> Silence | None:
    """`old` as it is then, if it can become `wanted` in place; None: it ends, and another takes its place.

    Raises Refused where a change would do away with a recurrence that the sender knows nothing of.
    """
    state = old.state(now)
    if old.recurrence is not None and wanted.recurrence is None and state is not State.EXPIRED:
        raise Refused(
            f"silence {old.id} recurs ({old.recurrence.cron}): expire it, or change it with `shopwatch silence`"
        )
    if old.matchers != wanted.matchers or state is State.EXPIRED:
        return None
    if (old.recurrence is None) != (wanted.recurrence is None):
        return None
    if wanted.recurrence is None:
        begun = state is State.ACTIVE
        if begun and int(wanted.starts_at.timestamp()) != int(old.starts_at.timestamp()):
            return None
        if not begun and wanted.starts_at < now:
            return None
    return made(wanted, old.id, now, clamp=False)


def made(wanted: Wanted, new_id: str, now: datetime, *, clamp: bool = True) -> Silence:
    """A silence of this id. What begins in the past begins now."""
    starts_at = max(wanted.starts_at, now) if clamp else wanted.starts_at
    silence = Silence(
        id=new_id,
        matchers=wanted.matchers,
        starts_at=starts_at,
        ends_at=wanted.end,
        created_by=wanted.created_by,
        comment=wanted.comment,
        updated_at=now,
        annotations=dict(wanted.annotations),
        recurrence=wanted.recurrence,
    )
    due = reminder(silence)
    return replace(silence, remind_at=None if due is None else max(due, now))


def reminder(silence: Silence) -> datetime | None:
    """When to say that it is about to end. One that recurs is announced before its last end only."""
    if silence.ends_at is None:
        return None
    ahead = min(REMIND_AHEAD, (silence.ends_at - silence.starts_at) / 4)
    return silence.ends_at - ahead


def expired(silence: Silence, now: datetime) -> Silence:
    """Over from now on; one that is over stays as it was."""
    if silence.state(now) is State.EXPIRED:
        return silence
    return replace(silence, starts_at=min(silence.starts_at, now), ends_at=now, updated_at=now, remind_at=None)
