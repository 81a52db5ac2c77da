"""What a drill measured, and whether that was asked for. Pure: instants in, verdict out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from drills.model import Drill
from probes.duration import format_duration

Verdict = Literal["passed", "failed", "invalid", "aborted"]
Json = Mapping[str, Any]


@dataclass
class Observed:
    """What was seen while the drill ran; instants are UTC, and None is what has not happened.

    `alert` is Alertmanager's shape, `incident` and `timeline` are the API's; `broken` holds the hypothesis' journeys
    that failed although nobody broke them.
    """

    fault_in: datetime | None = None
    proved: datetime | None = None
    fault_out: datetime | None = None
    healed: datetime | None = None
    alert: Json | None = None
    incident: Json | None = None
    timeline: Sequence[Json] = ()
    broken: list[str] = field(default_factory=list)

    def first(self, *kinds: str) -> Json | None:
        return next((event for event in self.timeline if event["kind"] in kinds), None)


@dataclass(frozen=True)
class Measure:
    """One expectation: what was asked, what was measured, and whether that is enough. Seconds."""

    name: str
    asked: str
    measured: str
    met: bool
    seconds: float | None = None


@dataclass(frozen=True)
class Scorecard:
    """The grade of a drill. `clock`: seconds after the fault was in, by milestone (recovery: after it was out)."""

    drill: str
    title: str
    target: str
    verdict: Verdict
    why: str
    started_at: datetime
    ended_at: datetime
    measures: tuple[Measure, ...]
    clock: Mapping[str, float]
    exercised: Mapping[str, Sequence[str]]
    incident: int | None = None
    number: int | None = None

    @property
    def passed(self) -> bool:
        return self.verdict == "passed"

    def to_json(self) -> dict[str, Any]:
        times = {"started_at": self.started_at.isoformat(), "ended_at": self.ended_at.isoformat()}
        return asdict(self) | times | {"measures": [asdict(measure) for measure in self.measures]}


def measure(drill: Drill, seen: Observed) -> list[Measure]:
    """One entry for each expectation of the drill, in the order in which they are met."""
    expect, found = drill.expect, []
    if expect.alert:
        service = (seen.alert or {}).get("labels", {}).get("service")
        wrong = None if expect.alert.service in (None, service) or not seen.alert else f"of {service}"
        asked = f"of {expect.alert.service} " if expect.alert.service else ""
        at = _at(seen.alert, "updatedAt")  # when Shopwatch had it; startsAt is when the trouble began
        found.append(_timed("alert", expect.alert.within, at, seen.fault_in, wrong=wrong, asked=asked))
    if expect.incident:
        severity = (seen.incident or {}).get("severity")
        wrong = None if expect.incident.severity in (None, severity) or not seen.incident else f"as {severity}"
        asked = f"{expect.incident.severity} " if expect.incident.severity else ""
        at = _at(seen.incident, "opened_at")
        found.append(_timed("incident", expect.incident.within, at, seen.fault_in, wrong=wrong, asked=asked))
    if expect.page:
        found.append(_timed("page", expect.page.within, _at(seen.first("paged")), seen.fault_in))
    if expect.ack:
        event = seen.first("acknowledged")
        by = expect.ack.by if expect.ack.by != "auto" else None
        wrong = f"by {event['actor']}" if event and by and event["actor"] != by else None
        asked = f"by {by} " if by else ""
        found.append(_timed("ack", expect.ack.within, _at(event), seen.fault_in, wrong=wrong, asked=asked))
    if expect.runbook:
        books = list((seen.incident or {}).get("runbooks", ()))
        met = books[:1] == [expect.runbook]
        found.append(Measure("runbook", expect.runbook, books[0] if books else "none", met))
    if expect.update:
        found.append(_timed("update", expect.update.within, _at(seen.first("update")), seen.fault_in))
    if expect.recovery:
        over = _resolved_at(seen)
        found.append(_timed("recovery", expect.recovery.within, over, seen.fault_out))
    return found


def _resolved_at(seen: Observed) -> datetime | None:
    return _at(seen.incident, "resolved_at")


def _at(record: Json | None, key: str = "at") -> datetime | None:
    value = (record or {}).get(key)
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _timed(
    name: str,
    within: float,
    at: datetime | None,
    start: datetime | None,
    *,
    wrong: str | None = None,
    asked: str = "",
) -> Measure:
    wanted = f"{asked}within {format_duration(within)}"
    if at is None or start is None:
        return Measure(name, wanted, "never", met=False)
    seconds = max(0.0, (at - start).total_seconds())
    text = f"{seconds:.1f} s" + (f", {wrong}" if wrong else "")
    return Measure(name, wanted, text, met=seconds <= within and wrong is None, seconds=round(seconds, 3))


def judge(drill: Drill, measures: Iterable[Measure], seen: Observed) -> tuple[Verdict, str]:
    """A fault that did not show makes a drill invalid, not passed; a journey that broke unasked makes it fail."""
    if seen.fault_in is None:
        return "invalid", "the fault could not be put in"
    if seen.proved is None and any(fault.proves for fault in drill.faults):
        wanted = ", ".join(f"{f.proves.journey} {f.proves.is_}" for f in drill.faults if f.proves)
        return "invalid", f"the fault did not show: {wanted} was never seen"
    missed = [item.name for item in measures if not item.met]
    if missed:
        return "failed", "not met: " + ", ".join(missed)
    if seen.broken:
        return "failed", "broke unasked: " + ", ".join(seen.broken)
    if seen.healed is None:
        return "failed", "the fault was taken out, and the journeys did not come up again"
    return "passed", "every expectation was met"


def grade(
    drill: Drill, seen: Observed, started_at: datetime, ended_at: datetime, stopped: tuple[Verdict, str] | None = None
) -> Scorecard:
    """The scorecard. `stopped` overrules the verdict: a drill that was aborted, or could not start."""
    measures = measure(drill, seen)
    verdict, why = stopped or judge(drill, measures, seen)
    return Scorecard(
        drill=drill.name,
        title=drill.title,
        target=drill.target,
        verdict=verdict,
        why=why,
        started_at=started_at,
        ended_at=ended_at,
        measures=tuple(measures),
        clock={item.name: item.seconds for item in measures if item.seconds is not None},
        exercised=_exercised(drill, seen),
        incident=(seen.incident or {}).get("number"),
    )


def _exercised(drill: Drill, seen: Observed) -> dict[str, list[str]]:
    people = {event["actor"] for event in seen.timeline if event["kind"] in ("acknowledged", "update", "resolved")}
    journeys = {*drill.hypothesis, *(fault.proves.journey for fault in drill.faults if fault.proves)}
    alert = (seen.alert or {}).get("labels", {}).get("alertname")
    return {
        "journeys": sorted(journeys),
        "alerts": [alert] if alert else [],
        "runbooks": list((seen.incident or {}).get("runbooks", ())),
        "people": sorted(people - {"shopwatch"}),
    }
