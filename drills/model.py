"""A drill: what is broken on purpose, and what a good response to it is. The reference for users is docs/drills.md."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple, Self

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from drills.errors import DrillsError
from drills.practice.switches import SWITCHES, parse_value
from probes.duration import format_duration
from probes.files.mistakes import Wrong, did_you_mean, one_of, raise_all
from probes.files.settings import Name, Positive, Severity, Strict, TimeZone, Title

PRACTICE = "practice"  # the target that is no environment of shopwatch.yaml


def _cron(line: str) -> str:
    example = "write minute hour day month weekday, such as 0 10 * * 2 for Tuesdays at ten"
    if len(line.split()) != 5:
        raise Wrong(f'"{line}" is not a cron line', example)
    try:
        next(CronSim(line, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        why = str(error).lower() or "no day is ever like that"
        raise Wrong(f'"{line}" is not a cron line: {why}', example) from None
    return line


class Days(NamedTuple):
    """Both days are in it."""

    first: date
    last: date


def _days(value: object) -> Days:
    """Reads `2026-11-20/2026-12-31`, or one day."""
    if isinstance(value, Days):
        return value
    example = f"{value!r} is not a range of days: write one such as 2026-11-20/2026-12-31"
    if not isinstance(value, str):
        raise ValueError(example)
    first, slash, last = value.partition("/")
    try:
        days = Days(date.fromisoformat(first.strip()), date.fromisoformat((last if slash else first).strip()))
    except ValueError:
        raise ValueError(example) from None
    if days.last < days.first:
        raise ValueError(f"{value!r} ends before it begins")
    return days


def _later(value: object) -> None:
    raise ValueError(
        "this version of Shopwatch breaks the practice shop only (`shop:`); this fault comes in a later version"
    )


def _switches(value: object) -> dict[str, bool | float | str]:
    """The switches as the practice shop takes them (JSON values), each checked."""
    if not isinstance(value, dict) or not value:
        raise ValueError("should name switches of the practice shop, such as {psp_delay: 9s}")
    raise_all(wrong for name, setting in value.items() for wrong in _wrong_switch(name, setting))
    return {name: float(setting) if isinstance(setting, Decimal) else setting for name, setting in value.items()}


def _wrong_switch(name: str, setting: object) -> Iterator[Wrong]:
    if name not in SWITCHES:
        hint = did_you_mean(str(name), SWITCHES) or f"known here: {one_of(SWITCHES)}"
        yield Wrong(f'the practice shop has no switch "{name}"', hint, at=(name,))
        return
    try:
        parse_value(name, setting)
    except DrillsError as error:
        yield Wrong(str(error).removeprefix(f"{name}: "), at=(name,))


_JSON_TYPES = {"flag": "boolean", "duration": "string", "share": "number"}
Cron = Annotated[str, AfterValidator(_cron)]
DayRange = Annotated[
    Days, BeforeValidator(_days), WithJsonSchema({"type": "string", "examples": ["2026-11-20/2026-12-31"]})
]
Later = Annotated[None, BeforeValidator(_later), WithJsonSchema({"not": {}})]
Switches = Annotated[
    dict[str, bool | float | str],
    BeforeValidator(_switches),
    WithJsonSchema(
        {
            "type": "object",
            "minProperties": 1,
            "properties": {
                name: {"type": _JSON_TYPES[switch.kind], "description": switch.description}
                for name, switch in SWITCHES.items()
            },
            "additionalProperties": False,
        }
    ),
]


class Proves(Strict):
    """The fault counts as in once the journey is so."""

    journey: str
    is_: Literal["up", "degraded", "down"] = Field(default="down", alias="is")


class Fault(Strict):
    """`lease`: seconds after which the fault ends by itself, whatever becomes of us."""

    shop: Switches | None = None
    http: Later = None
    run: Later = None
    proxy: Later = None
    chaostoolkit: Later = None
    lease: Annotated[Positive, Field(le=3600)] = 600.0
    proves: Proves | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.shop is None:
            raise ValueError("a fault needs something to break, such as shop: {psp_delay: 9s}")
        return self


class Abort(Strict):
    """Ends the drill at once: `fails` runs of the journey in a row, or a real incident that opens."""

    journey: str | None = None
    fails: int | None = Field(default=None, ge=1, le=100)
    incident: Literal["real"] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.journey is None) == (self.incident is None):
            raise ValueError("say one of {journey: NAME, fails: N} and {incident: real}")
        if (self.journey is None) != (self.fails is None):
            raise ValueError("journey and fails belong together: {journey: NAME, fails: N}")
        return self


class Within(Strict):
    within: Positive


class ExpectAlert(Within):
    service: str | None = None


class ExpectIncident(Within):
    severity: Severity | None = None


class ExpectAck(Within):
    """`by`: a person of shopwatch.yaml, or `auto` where the drill plays the responder. None: anybody."""

    by: str | None = None


class Expectations(Strict):
    """Seconds from the moment that the fault is in; `recovery` from the moment that it is out."""

    alert: ExpectAlert | None = None
    incident: ExpectIncident | None = None
    page: Within | None = None
    ack: ExpectAck | None = None
    runbook: str | None = None
    update: Within | None = None
    recovery: Within | None = None


class Drill(Strict):
    """A drill file. `tz` is the zone of `schedule`; None is the shop's own."""

    name: Name = Field(alias="drill")
    title: Title
    target: str = PRACTICE
    mode: Literal["live", "dry", "tabletop"] = "live"
    schedule: Cron | None = None
    tz: TimeZone | None = None
    freeze: tuple[DayRange, ...] = ()
    hypothesis: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = Field(min_length=1)
    abort: tuple[Abort, ...] = ()
    expect: Expectations = Expectations()
    responder: Literal["auto", "people"] = "auto"
    announce: str | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        raise_all(self._wrongs())
        return self

    def _wrongs(self) -> Iterator[Wrong]:
        if self.target != PRACTICE:
            yield Wrong(f"shop: switches break the practice shop only; write target: {PRACTICE}", at=("target",))
        if self.responder == "people" and self.expect.ack is not None and self.expect.ack.by == "auto":
            yield Wrong("responder: people leaves nobody to acknowledge as auto", at=("expect", "ack", "by"))
        shortest = min(fault.lease for fault in self.faults)
        for key in ("alert", "incident"):
            expected = getattr(self.expect, key)
            if expected is not None and expected.within > shortest:
                text = f"is expected after the fault is gone: its lease is {format_duration(shortest)}"
                yield Wrong(text, "raise lease", at=("expect", key, "within"))

    def frozen_on(self, day: date) -> bool:
        return any(days.first <= day <= days.last for days in self.freeze)
