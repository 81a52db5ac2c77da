"""What a run of a journey saw: the shape that goes to the store, the metrics, the alert rules and `--json`."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple


class Outcome(StrEnum):
    """Of a run or a step. `SKIPPED` is for steps only: `when` was false, or an earlier step failed."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    SKIPPED = "skipped"


class Reason(StrEnum):
    """Why a step failed: one of these, always. contracts: see docs/journeys.md, "Reasons"."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    STATUS = "status"
    HEADER = "header"
    COOKIE = "cookie"
    BODY = "body"
    JSON = "json"
    HTML = "html"
    VALUE = "value"
    LATENCY = "latency"
    FRESHNESS = "freshness"
    AUTH = "auth"
    CONFIG = "config"
    PROBER = "prober"


MOST_MEASURED = 1e9  # more of anything than that is no number of a shop's
PHASES = ("resolve", "connect", "tls", "processing", "transfer")


@dataclass(slots=True)
class Step:
    """One step of a run. `phases` holds seconds by name of PHASES; a phase that was not reached is absent."""

    name: str
    service: str
    outcome: Outcome
    reason: Reason | None = None
    expected: str | None = None
    seen: str | None = None  # at most 2 KiB, secrets masked
    status: int | None = None  # HTTP status, where there was one
    phases: dict[str, float] = field(default_factory=dict)
    duration_s: float = 0.0
    attempts: int = 1
    url: str | None = None  # secrets masked
    curl: str | None = None  # of the failed step: the command that repeats it, secrets as variables
    around: str | None = None  # of a failed step in a run that is traced: the answer around what was expected

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "service": self.service,
            "outcome": str(self.outcome),
            "reason": None if self.reason is None else str(self.reason),
            "expected": self.expected,
            "seen": self.seen,
            "status": self.status,
            "phases": {name: round(seconds, 6) for name, seconds in self.phases.items()},
            "duration_s": round(self.duration_s, 6),
            "attempts": self.attempts,
            "url": self.url,
            "curl": self.curl,
        }


class HeldBack(NamedTuple):
    """The run went no further: `step` writes deeper into the shop (`mutates`) than it was allowed to (`limit`)."""

    step: str
    mutates: str
    limit: str


class Certificate(NamedTuple):
    """The end of the certificate that `host` (with its port) showed, aware UTC."""

    host: str
    expires_at: datetime

    def to_json(self) -> dict[str, Any]:
        return {"host": self.host, "expires_at": self.expires_at.isoformat()}


@dataclass(slots=True)
class Result:
    """One run of one journey. `started_at` is UTC. `lag_s`: how late the scheduler started it, None by hand."""

    journey: str
    service: str
    run_id: str
    outcome: Outcome
    started_at: datetime
    duration_s: float
    steps: list[Step] = field(default_factory=list)
    cleanup: list[Step] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    location: str = "local"
    account: str | None = None  # the user that the run leased
    lag_s: float | None = None
    slo: float | None = None  # what the journey's file promises
    retry_after_s: float | None = None  # the step that failed was asked to leave the shop alone for so long
    held_back: HeldBack | None = None
    leftovers: dict[str, int] | None = None  # what the journey has left in the shop by then, by state; None: unknown
    certificate: Certificate | None = None  # of those that the run saw, the one that ends first
    measured: dict[str, float] = field(default_factory=dict)  # saved values that shopwatch.yaml asks for
    confirms: bool = False  # it came sooner than its turn, because the run before it failed

    @property
    def failed(self) -> Step | None:
        """The step that decided the outcome: the first that is down, else the first that is degraded."""
        for outcome in (Outcome.DOWN, Outcome.DEGRADED):
            for step in self.steps:
                if step.outcome is outcome:
                    return step
        return None

    def to_json(self) -> dict[str, Any]:
        return {
            "journey": self.journey,
            "service": self.service,
            "run_id": self.run_id,
            "outcome": str(self.outcome),
            "started_at": self.started_at.isoformat(),
            "duration_s": round(self.duration_s, 6),
            "steps": [step.to_json() for step in self.steps],
            "cleanup": [step.to_json() for step in self.cleanup],
            "labels": self.labels,
            "location": self.location,
            "account": self.account,
            "lag_s": self.lag_s,
            **({} if self.slo is None else {"slo": self.slo}),
            "held_back": None if self.held_back is None else self.held_back._asdict(),
            "leftovers": self.leftovers,
            "certificate": None if self.certificate is None else self.certificate.to_json(),
            **({"measured": self.measured} if self.measured else {}),
            **({"confirms": True} if self.confirms else {}),
        }
