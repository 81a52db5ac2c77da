from datetime import date
from pathlib import Path
from typing import Any

import pytest

from drills.loading import load_file
from drills.model import Drill
from probes.files.mistakes import Mistake
from probes.files.secrets import Environment

FULL = """\
drill: provider-hangs
title: The payment provider hangs
target: practice
mode: dry
schedule: "30 9 * * 1-5"
tz: Asia/Shanghai
freeze: [2026-11-01/2026-11-12, 2026-12-24]
hypothesis: [login, checkout]
faults:
  - shop: {psp_delay: 9s, error_rate: 0.25, callback_lost: true}
    lease: 10m
    proves: {journey: payment, is: degraded}
abort:
  - {journey: login, fails: 2}
  - {incident: real}
expect:
  alert: {service: payment, within: 30s}
  incident: {within: 35s, severity: SEV2}
  page: {within: 40s}
  ack: {within: 5m, by: auto}
  runbook: payment-channel-failure
  update: {within: 10m}
  recovery: {within: 15m}
responder: auto
announce: "#drills"
"""


def read(text: str, folder: Path) -> tuple[Drill | None, list[str]]:
    path = folder / "d.yaml"
    path.write_text(text)
    mistakes: list[Mistake] = []
    drills = load_file(path, Environment({}), mistakes, folder)
    return (drills[0] if drills else None), [str(mistake) for mistake in mistakes]


def minimal(**further: Any) -> Drill:
    return Drill.model_validate({"drill": "d", "title": "D", "faults": [{"shop": {"hang": True}}], **further})


def test_every_key_is_read(tmp_path: Path) -> None:
    drill, mistakes = read(FULL, tmp_path)
    assert mistakes == []
    assert drill is not None
    assert (drill.name, drill.mode, drill.tz, drill.hypothesis) == (
        "provider-hangs",
        "dry",
        "Asia/Shanghai",
        ("login", "checkout"),
    )
    assert drill.faults[0].lease == 600
    assert drill.faults[0].proves is not None
    assert drill.faults[0].proves.is_ == "degraded"
    assert drill.abort[0].fails == 2
    assert drill.expect.incident is not None
    assert (drill.expect.incident.within, drill.expect.incident.severity) == (35, "SEV2")
    assert drill.expect.recovery is not None
    assert drill.expect.recovery.within == 900


def test_switches_are_kept_as_the_practice_shop_takes_them(tmp_path: Path) -> None:
    drill, _ = read(FULL, tmp_path)
    assert drill is not None
    assert drill.faults[0].shop == {"psp_delay": "9s", "error_rate": 0.25, "callback_lost": True}


def test_little_is_required() -> None:
    drill = minimal()
    assert (drill.target, drill.mode, drill.responder, drill.expect.alert) == ("practice", "live", "auto", None)


def test_both_ends_of_a_freeze_are_frozen() -> None:
    drill = minimal(freeze=["2026-11-20/2026-12-31", "2027-02-14"])
    frozen = {day: drill.frozen_on(date.fromisoformat(day)) for day in
              ("2026-11-19", "2026-11-20", "2026-12-31", "2027-01-01", "2027-02-14")}  # fmt: skip
    assert list(frozen.values()) == [False, True, True, False, True]


@pytest.mark.parametrize("kind", ["http", "run", "proxy", "chaostoolkit"])
def test_a_fault_of_a_later_version_says_so(kind: str, tmp_path: Path) -> None:
    _, mistakes = read(f"drill: d\ntitle: D\nfaults: [{{{kind}: x}}]\n", tmp_path)
    assert len(mistakes) == 1
    assert mistakes[0].endswith("this fault comes in a later version")


@pytest.mark.parametrize("line", ["* * * *", "@daily", "0 0 * * * *", "0 25 * * *", "0 0 31 2 *", "a b c d e", ""])
def test_a_bad_cron_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="is not a cron line"):
        minimal(schedule=line)


@pytest.mark.parametrize("line", ["0 10 * * 2", "*/15 8-18 * * MON-FRI", "0 0 L * *", "5,10 * 1 1 *"])
def test_a_cron_line_is_taken(line: str) -> None:
    assert minimal(schedule=line).schedule == line


@pytest.mark.parametrize(
    "abort",
    [
        {},
        {"journey": "a"},
        {"fails": 2},
        {"journey": "a", "fails": 1, "incident": "real"},
        {"journey": "a", "fails": 0},
    ],
)
def test_an_abort_is_one_complete_condition(abort: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="abort"):
        minimal(abort=[abort])


def test_nothing_can_be_expected_after_the_fault_is_gone(tmp_path: Path) -> None:
    text = FULL.replace("lease: 10m", "lease: 20s")
    assert read(text, tmp_path)[1] == [
        "d.yaml:17: expect.alert.within: is expected after the fault is gone: its lease is 20s (raise lease)",
        "d.yaml:18: expect.incident.within: is expected after the fault is gone: its lease is 20s (raise lease)",
    ]
