from datetime import UTC, datetime, timedelta

from probes.prober.rules import JourneyState, due
from probes.prober.standing import Said, stand

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAID = Said({"alertname": "ProberTrouble"}, {"summary": "no way out"})


def test_what_is_so_is_said_once_and_then_repeated() -> None:
    state, [alert] = stand(JourneyState(), SAID, NOW)
    assert alert.ends_at > NOW
    state, alerts = stand(state, SAID, NOW + timedelta(seconds=1))
    assert alerts == []
    state, again = due(state, NOW + timedelta(seconds=31))
    assert [one.starts_at for one in again] == [NOW]


def test_more_of_the_same_trouble_is_the_same_alert() -> None:
    state, [first] = stand(JourneyState(), SAID, NOW)
    state, alerts = stand(state, Said(SAID.labels, {"summary": "and no disk"}), NOW + timedelta(seconds=1))
    assert alerts == []
    _, [again] = due(state, NOW + timedelta(seconds=31))
    assert (again.fingerprint, again.annotations) == (first.fingerprint, {"summary": "and no disk"})


def test_what_is_no_longer_so_ends_and_may_come_back() -> None:
    state, _ = stand(JourneyState(), SAID, NOW)
    later = NOW + timedelta(minutes=1)
    state, [end] = stand(state, None, later)
    assert end.ends_at == later
    _, [back] = stand(state, SAID, later)
    assert back.starts_at > end.ends_at
