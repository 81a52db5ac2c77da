"""Results in, alerts out. Pure: the history of one journey and the time of day are handed in, alerts are handed back.

Down: `after` n of the last m runs were down. Degraded: as many were not up and the newest works, but slowly. While a
journey is down it is not also degraded. An alert ends after `clear` runs in a row that are not of its kind; one that
was raised again and again lately (it flaps) only after a time without any run of its kind.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from probes.alert import Alert
from probes.duration import format_duration
from probes.prober import certificates
from probes.result import Outcome, Result

DOWN = "JourneyDown"
DEGRADED = "JourneyDegraded"
DEFAULT_SEVERITY = "SEV2"
RESEND = timedelta(seconds=30)
HOLD = 4  # an alert that is not repeated for this many resend periods has lost its source, as in Prometheus
REPEATS_OF_THE_END = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))  # after the end itself
CALM_SHARE = 3  # an alert that flaps ends after the n-th part of the rule's time without a failure
_TICK = timedelta(milliseconds=1)


class AlertRule(Protocol):
    """The `alert:` part of a journey file."""

    @property
    def after(self) -> tuple[int, int]: ...
    @property
    def clear(self) -> int: ...
    @property
    def confirm(self) -> float: ...
    @property
    def severity(self) -> str | None: ...
    @property
    def degraded(self) -> str | None: ...
    @property
    def flapping(self) -> tuple[int, float] | None: ...
    @property
    def where(self) -> object: ...
    @property
    def certificate(self) -> certificates.CertificateRule | None: ...


@dataclass(frozen=True, slots=True)
class Rule:
    """The defaults of an `AlertRule`. `confirm` is in seconds; `degraded` None: slowness raises nothing; `flapping`: so
    many times within so many seconds, or None; `where`: how many locations must agree, which the receiver judges."""

    after: tuple[int, int] = (2, 3)
    clear: int = 2
    confirm: float = 3.0
    severity: str | None = DEFAULT_SEVERITY
    degraded: str | None = None
    flapping: tuple[int, float] | None = (3, 1800.0)
    where: object = None
    certificate: certificates.CertificateRule | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """An alert that is firing. `sent_at`: when it was last handed out, None if it is due now.

    `restless`: it flaps, and this is when it was last seen failing; None while it does not flap.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    sent_at: datetime | None = None
    restless: datetime | None = None

    def alert(self, now: datetime, resend: timedelta) -> Alert:
        ends_at = now + HOLD * resend
        starts_at = self.starts_at if self.starts_at < ends_at else now  # the clock was set back far
        return Alert(self.labels, starts_at, ends_at, self.annotations)


@dataclass(frozen=True, slots=True)
class Over:
    """An alert that ended, kept while its end is still to be repeated; `repeats` have been handed out so far."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    repeats: int = 0

    def alert(self, now: datetime) -> Alert:
        """Over now, even if the clock was set back since it ended."""
        ends_at = min(self.ends_at, now)
        return Alert(self.labels, min(self.starts_at, ends_at), ends_at, self.annotations)


@dataclass(frozen=True, slots=True)
class Run:
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True)
class JourneyState:
    """All that the rules remember of a journey. `history`: oldest first, only as long as the rule looks back.

    `elsewhere`: the last run, while down, failed in a step of this other service, since then. `raised`: when alerts of
    each kind began, as far back as the rule for flapping looks. `renewed`: so many runs in a row have seen certificates
    that last, while the alert about one that ends soon is firing.
    """

    history: tuple[Run, ...] = ()
    down: Open | None = None
    degraded: Open | None = None
    elsewhere: tuple[str, datetime] | None = None
    over: tuple[Over, ...] = ()
    raised: tuple[tuple[str, datetime], ...] = ()
    certificate: Open | None = None
    renewed: int = 0

    @property
    def firing(self) -> tuple[Open, ...]:
        return tuple(alert for alert in (self.down, self.degraded, self.certificate) if alert is not None)

    @property
    def quiet(self) -> bool:
        """Nothing here that a fresh state would not do as well."""
        return not (self.firing or self.over or self.raised) and all(run.outcome is Outcome.UP for run in self.history)


def judge(
    rule: AlertRule, state: JourneyState, result: Result, now: datetime, *, resend: timedelta = RESEND
) -> tuple[JourneyState, list[Alert], float | None]:
    """The new state, the alerts to send now (firing ones first), and seconds until a confirming run, if one matters."""
    before, state = state, _aged(rule, state, now)
    keep = max(rule.after[1], rule.clear)
    state = replace(state, history=(*state.history, Run(result.outcome, result.started_at))[-keep:])
    state = _judge_down(rule, state, result, now)
    state = _judge_degraded(rule, state, result, now)
    state = _flapping(rule, state, result, now)
    state = _judge_certificate(rule, state, result, now)
    fresh = [alert for alert in state.firing if alert.sent_at is None]
    alerts = [alert.alert(now, resend) for alert in fresh]
    alerts += [alert.alert(now) for alert in state.over if alert not in before.over]
    return _sent(state, fresh, now), alerts, _confirm_in(rule, state)


def due(state: JourneyState, now: datetime, *, resend: timedelta = RESEND) -> tuple[JourneyState, list[Alert]]:
    """What is to be said again at this moment: alerts that still fire, and ends that may have been missed."""
    again = [a for a in state.firing if a.sent_at is None or not timedelta(0) <= now - a.sent_at < resend]
    alerts = [alert.alert(now, resend) for alert in again]
    over = []
    for ended in state.over:
        if not timedelta(0) <= now - ended.ends_at < REPEATS_OF_THE_END[ended.repeats]:
            alerts.append(ended.alert(now))
            ended = replace(ended, repeats=ended.repeats + 1)
        if ended.repeats < len(REPEATS_OF_THE_END):
            over.append(ended)
    if not alerts:
        return state, alerts
    return replace(_sent(state, again, now), over=tuple(over)), alerts


def says_nothing(state: JourneyState, result: Result) -> bool:
    """A run that was held back before the step at which the alert fires, and got so far well: it is no recovery."""
    if result.held_back is None or result.outcome is Outcome.DOWN:
        return False
    done = {step.name for step in result.steps if step.outcome is not Outcome.SKIPPED}
    return any(alert.annotations.get("step") not in done for alert in state.firing)


def not_before(sooner: float | None, asked: float | None, every: float) -> float | None:
    """Seconds until the confirming run where the shop has asked to be left alone for so long: the regular one, if that
    comes first."""
    if sooner is None or asked is None:
        return sooner
    return None if asked >= every else max(sooner, asked)


def _judge_down(rule: AlertRule, state: JourneyState, result: Result, now: datetime) -> JourneyState:
    if state.down is not None:
        return _still_down(rule, state, state.down, result, now)
    if result.outcome is not Outcome.DOWN:
        return state
    failed = [run for run in state.history[-rule.after[1] :] if run.outcome is Outcome.DOWN]
    if len(failed) < rule.after[0]:
        return state
    labels = _labels(DOWN, rule.severity or DEFAULT_SEVERITY, result)
    state = _raise(rule, state, "down", labels, result, since=failed[0].at, now=now)
    return _end(state, "degraded", now)  # after the raising, so that nobody sees a moment without an alert


def _still_down(rule: AlertRule, state: JourneyState, firing: Open, result: Result, now: datetime) -> JourneyState:
    if result.outcome is not Outcome.DOWN:
        state = replace(state, elsewhere=None)
        since = list(_after_the_last(Outcome.DOWN, state.history))
        if len(since) < rule.clear or _is_restless(rule, firing, now):
            return state
        return replace(_end(state, "down", now), history=tuple(since))
    labels = _labels(DOWN, rule.severity or DEFAULT_SEVERITY, result)
    same_but_service = {**labels, "service": ""} == {**firing.labels, "service": ""}
    if labels == firing.labels or (same_but_service and firing.restless is not None):
        return replace(state, down=replace(firing, annotations=_annotations(rule, result)), elsewhere=None)
    first_seen = result.started_at
    if same_but_service:
        if state.elsewhere is None or state.elsewhere[0] != labels["service"]:
            return replace(state, elsewhere=(labels["service"], result.started_at))
        first_seen = state.elsewhere[1]
    state = replace(_end(state, "down", now), elsewhere=None)  # another service twice, or the file was edited
    return _raise(rule, state, "down", labels, result, since=first_seen, now=now)


def _judge_degraded(rule: AlertRule, state: JourneyState, result: Result, now: datetime) -> JourneyState:
    if state.down is not None:
        return state
    if state.degraded is not None:
        return _still_degraded(rule, state, state.degraded, result, now)
    if not _wants_degraded(rule) or result.outcome is not Outcome.DEGRADED:
        return state
    slow = [run for run in state.history[-rule.after[1] :] if run.outcome is not Outcome.UP]
    if len(slow) < rule.after[0]:
        return state
    labels = _labels(DEGRADED, str(rule.degraded), result)
    return _raise(rule, state, "degraded", labels, result, since=slow[0].at, now=now)


def _still_degraded(rule: AlertRule, state: JourneyState, firing: Open, result: Result, now: datetime) -> JourneyState:
    calm = _trailing_up(state.history) >= rule.clear and not _is_restless(rule, firing, now)
    if not _wants_degraded(rule) or calm:
        return replace(_end(state, "degraded", now), history=state.history[-1:])
    if result.outcome is not Outcome.DEGRADED:
        return state
    labels = _labels(DEGRADED, str(rule.degraded), result)
    if {**labels, "service": ""} == {**firing.labels, "service": ""}:  # the slowest step wanders; the alert does not
        return replace(state, degraded=replace(firing, annotations=_annotations(rule, result)))
    state = _end(state, "degraded", now)
    return _raise(rule, state, "degraded", labels, result, since=result.started_at, now=now)


def _judge_certificate(rule: AlertRule, state: JourneyState, result: Result, now: datetime) -> JourneyState:
    seen, firing = certificates.look(rule.certificate, result, now), state.certificate
    if seen is certificates.Look.NOTHING or (firing is None and seen is certificates.Look.LASTS):
        return state
    if not isinstance(seen, certificates.EndsSoon):
        renewed = state.renewed + 1
        if rule.certificate is not None and renewed < rule.clear:
            return replace(state, renewed=renewed)
        return replace(_end(state, "certificate", now), renewed=0)
    state = replace(state, renewed=0)
    if firing is not None and firing.labels == seen.labels:
        return replace(state, certificate=replace(firing, annotations=seen.annotations))
    state = _end(state, "certificate", now)
    state = _raise(rule, state, "certificate", seen.labels, result, since=now, now=now)
    assert state.certificate is not None
    return replace(state, certificate=replace(state.certificate, annotations=seen.annotations))


def _wants_degraded(rule: AlertRule) -> bool:
    return rule.degraded is not None


def _aged(rule: AlertRule, state: JourneyState, now: datetime) -> JourneyState:
    """Forgets what was raised too long ago to matter, or in the future: the clock was set back."""
    seconds = 0.0 if rule.flapping is None else rule.flapping[1]
    raised = tuple((kind, at) for kind, at in state.raised if 0 <= (now - at).total_seconds() < seconds)
    return state if raised == state.raised else replace(state, raised=raised)


def _flapping(rule: AlertRule, state: JourneyState, result: Result, now: datetime) -> JourneyState:
    """Marks an alert that was raised too often lately, and keeps in mind when it was last seen failing."""
    if rule.flapping is None:
        return state
    times, seconds = rule.flapping
    failing = {"down": result.outcome is Outcome.DOWN, "degraded": result.outcome is not Outcome.UP}
    for kind, firing in (("down", state.down), ("degraded", state.degraded)):
        if firing is None:
            continue
        restless = firing.restless
        if restless is None and sum(raised == _failure(kind, firing) for raised, _ in state.raised) < times:
            continue
        if restless is None or failing[kind]:
            restless = now
        lately, calm = format_duration(seconds), format_duration(round(seconds / CALM_SHARE, 3))
        said = f"raised {times} times within {lately}; it ends after {calm} without a failure"
        kept = replace(firing, restless=restless, annotations={**firing.annotations, "flapping": said})
        state = replace(state, **{kind: kept})  # type: ignore[arg-type]
    return state


def _failure(kind: str, firing: Open) -> str:
    """What comes and goes: one failure after another, each in a place of its own, is no flapping."""
    return f"{kind} {firing.annotations.get('step', '')} {firing.annotations.get('reason', '')}"


def _is_restless(rule: AlertRule, firing: Open, now: datetime) -> bool:
    if rule.flapping is None or firing.restless is None:
        return False
    return 0 <= (now - firing.restless).total_seconds() < rule.flapping[1] / CALM_SHARE


def _raise(
    rule: AlertRule,
    state: JourneyState,
    kind: str,
    labels: Mapping[str, str],
    result: Result,
    *,
    since: datetime,
    now: datetime,
) -> JourneyState:
    """An alert that comes back after its end is a new one: it must not start inside the old one's time."""
    ends = [ended.ends_at for ended in state.over if ended.labels == labels]
    starts_at = max([min(since, now), *(end + _TICK for end in ends)])
    firing = Open(labels, _annotations(rule, result), starts_at)
    over = tuple(ended for ended in state.over if ended.labels != labels)
    raised = state.raised if rule.flapping is None else (*state.raised, (_failure(kind, firing), now))
    return replace(state, **{kind: firing}, over=over, raised=raised)  # type: ignore[arg-type]


def _end(state: JourneyState, kind: str, now: datetime) -> JourneyState:
    firing: Open | None = getattr(state, kind)
    if firing is None:
        return state
    ended = Over(firing.labels, firing.annotations, firing.starts_at, max(now, firing.starts_at + _TICK))
    return replace(state, **{kind: None}, over=(*state.over, ended))  # type: ignore[arg-type]


def _sent(state: JourneyState, alerts: list[Open], now: datetime) -> JourneyState:
    def sent(alert: Open | None) -> Open | None:
        return replace(alert, sent_at=now) if alert is not None and alert in alerts else alert

    return replace(state, down=sent(state.down), degraded=sent(state.degraded), certificate=sent(state.certificate))


def _confirm_in(rule: AlertRule, state: JourneyState) -> float | None:
    """Undecided: a failure seen lately and k more failures from now would, together, raise the alert."""
    needed, window = rule.after
    if rule.confirm <= 0 or state.down is not None:
        return None
    for more in range(1, window):
        seen = sum(run.outcome is Outcome.DOWN for run in state.history[-(window - more) :])
        if seen and seen + more >= needed:
            return rule.confirm
    return None


def _after_the_last(outcome: Outcome, history: tuple[Run, ...]) -> Iterator[Run]:
    last = max((i for i, run in enumerate(history) if run.outcome is outcome), default=-1)
    return iter(history[last + 1 :])


def _trailing_up(history: tuple[Run, ...]) -> int:
    bad = max((i for i, run in enumerate(history) if run.outcome is not Outcome.UP), default=-1)
    return len(history) - bad - 1


def _labels(name: str, severity: str, result: Result) -> dict[str, str]:
    failed = result.failed
    labels = {
        **result.labels,
        "alertname": name,
        "journey": result.journey,
        "service": failed.service if failed else result.service,
        "severity": severity,
        "location": result.location,
    }
    return {key: value for key, value in labels.items() if value}  # to Alertmanager an empty label is none


def _annotations(rule: AlertRule, result: Result) -> dict[str, str]:
    failed = result.failed
    where = "" if rule.where is None else str(rule.where)
    if failed is None:
        plain = {"summary": f"{result.journey} is {result.outcome}", "run": result.run_id, "where": where}
        return {key: text for key, text in plain.items() if text}
    reason = str(failed.reason) if failed.reason else ""
    what = f"{result.journey} is {result.outcome} at “{failed.name}”" + (f": {reason}" if reason else "")
    texts = {
        "summary": what + (f" (expected {failed.expected})" if failed.expected else ""),
        "step": failed.name,
        "reason": reason,
        "expected": failed.expected,
        "seen": failed.seen,
        "run": result.run_id,
        "runbook": result.labels.get("runbook"),
        "curl": failed.curl,
        "where": where,
    }
    return {key: text for key, text in texts.items() if text}
