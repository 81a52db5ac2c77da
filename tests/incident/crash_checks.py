"""What must hold after a process, or the database's server, was killed again and again."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from incident.channels import build_channels, close_channels
from incident.core.folding import fold
from incident.core.model import Event, Incident
from incident.daemon.outbox import Outbox
from incident.desk import Desk, utc_now
from tests.incident.crash_harness import settings
from tests.incident.receiver import Receiver

HELD = timedelta(minutes=1)  # by then what a killed process had taken up is free again


async def check(database: str, receiver: Receiver, alerts: Sequence[str], said: Sequence[tuple[int, str]]) -> None:
    """`alerts` (their label `number`) and `said` (incident, text) were answered for: each is there, and once."""
    desk = Desk(database, settings(receiver.url), lambda: utc_now() + HELD)
    await desk.start()
    channels = build_channels(desk.settings, desk)
    try:
        await desk.cycle(desk.now())
        await Outbox(desk, channels).drain()
        known = {alert.labels["number"]: alert for alert in await desk.alerts()}
        incidents = {incident.number: incident for incident in await desk.incidents()}
        assert set(alerts) <= set(known)
        assert all(alert.fingerprint in incidents[alert.incident or 0].alerts for alert in known.values())
        for number, incident in incidents.items():
            texts = await _check_record(desk, number, incident)
            assert {text for one, text in said if one == number} <= set(texts)
        rows = await desk.deliveries(limit=1_000_000)
        assert {row["key"] for row in rows} == set(receiver.keys)
        assert {row["state"] for row in rows} == {"delivered"}
    finally:
        await close_channels(channels)
        await desk.close()


async def _check_record(desk: Desk, number: int, incident: Incident) -> list[str]:
    """Every event once, in order, and the list agrees with them. Returns what people said."""
    timeline = await desk.timeline(number)
    assert [event.seq for event in timeline] == list(range(1, len(timeline) + 1))
    assert fold(timeline) == incident
    said = _said_in(timeline)
    assert len(said) == len(set(said))
    joined = [one for event in timeline if event.kind == "alert" for one in event.data["fingerprints"]]
    assert len(joined) == len(set(joined))
    return said


def _said_in(timeline: Sequence[Event]) -> list[str]:
    return [event.text for event in timeline if event.kind in ("note", "update")]


def only_repeats_of_what_was_in_flight(keys: Sequence[str], lives: Sequence[int]) -> None:
    """`keys` as they were received, over one channel; `lives`: how many there were when each life had ended.

    A channel sends one at a time: what was in flight at a kill is the last that was received before it.
    """
    in_flight: Counter[str] = Counter()
    seen: set[str] = set()
    for begin, end in pairwise((0, *lives, len(keys))):
        for key in keys[begin:end]:
            assert key not in seen or in_flight[key] > 0, f"{key} was not in flight, and came again"
            in_flight[key] -= key in seen
            seen.add(key)
        in_flight.update(keys[begin:end][-1:])
