import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.prober import memory
from probes.prober.memory import Remembered
from probes.prober.rules import JourneyState, Rule, due, judge
from tests.probes.prober.test_rules import RESEND, START, result

RULE = Rule(degraded="SEV4")


def state_after(runs: str) -> tuple[JourneyState, datetime]:
    state, now = JourneyState(), START
    for letter in runs:
        now += timedelta(minutes=1)
        state, _, _ = judge(RULE, state, result(letter, now), now, resend=RESEND)
    return state, now


@given(st.text("usD", max_size=20))
def test_a_state_comes_back_as_it_was_except_that_its_alerts_are_due(runs: str) -> None:
    state, now = state_after(runs)
    written = "".join(Remembered({"checkout": state}, {"checkout": 1.5}, unsaid={"payment"}).text())
    read = Remembered.from_json(json.loads(written))
    assert read.last_runs == {"checkout": 1.5}
    assert read.unsaid == {"payment"}
    if state.quiet:
        assert read.states == {}
        return
    unsent = {kind: replace(alert, sent_at=None) for kind in ("down", "degraded") if (alert := getattr(state, kind))}
    assert read.states == {"checkout": replace(state, **unsent)}
    _, alerts = due(read.states["checkout"], now, resend=RESEND)
    assert len([alert for alert in alerts if alert.ends_at > now]) == len(state.firing)


def test_what_fired_before_a_restart_can_end_after_it(tmp_path: Path) -> None:
    state, now = state_after("DD")
    file = tmp_path / "state.json"
    memory.save(file, "".join(Remembered({"checkout": state}).text()), durable=True)
    state = memory.load(file).states["checkout"]
    state, said = due(state, now, resend=RESEND)[0], []
    for _ in range(2):
        now += timedelta(minutes=1)
        state, alerts, _ = judge(RULE, state, result("u", now), now, resend=RESEND)
        said += alerts
    assert [alert.ends_at for alert in said] == [now]
    assert said[0].starts_at == START + timedelta(minutes=1)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"version": 99}', '{"version": 1}', "\0\0",
                                  '{"version": 1, "states": {"a": {}}, "last_runs": {}}',
                                  '{"version": 1, "states": [], "last_runs": {"a": "x"}}',
                                  '{"version": 1, "states": {"a": []}, "last_runs": {}}', "[" * 100_000,
                                  '{"version": 1, "states": {}, "last_runs": {"a": NaN}}',
                                  '{"version": 1, "states": {}, "last_runs": {"a": 1e999}}'])  # fmt: skip
def test_a_damaged_memory_is_put_aside_and_the_prober_starts(tmp_path: Path, text: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(text)
    assert memory.load(file) == Remembered()
    assert (tmp_path / "state.damaged.json").read_text() == text


def test_no_memory_is_no_damage(tmp_path: Path) -> None:
    assert memory.load(tmp_path / "state.json") == Remembered()
    assert list(tmp_path.iterdir()) == []


def test_the_memory_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    memory.save(file, "{}", durable=False)
    assert file.stat().st_mode & 0o077 == 0
    assert datetime.fromtimestamp(file.stat().st_mtime, UTC)
