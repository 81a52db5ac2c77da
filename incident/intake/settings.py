"""The part of `shopwatch.yaml` under `intake:`: who sends alerts, and how what they send is to be read."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from incident.muting_settings import Matcher
from probes.duration import parse_duration
from probes.files.settings import Name, Positive, Severity, Strict, WebAddress
from probes.language.paths import check_path

Secret = Annotated[str, StringConstraints(min_length=1)]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")]


def _path(text: str) -> str:
    return check_path(text) if text.startswith("$") else text


Field_ = Annotated[str, AfterValidator(_path), StringConstraints(max_length=1000)]
"""Where a value is: a JSONPath (`$…`), or the value itself."""


def _several(given: object) -> object:
    if isinstance(given, list | tuple):
        return given
    if isinstance(given, str):
        return (given,)
    raise ValueError("should be a path or a word, or a list of them")


_ONE = {"type": "string", "maxLength": 1000}
Fields = Annotated[
    tuple[Field_, ...],
    BeforeValidator(_several),
    Field(min_length=1, max_length=10),
    WithJsonSchema({"anyOf": [_ONE, {"type": "array", "items": _ONE, "minItems": 1, "maxItems": 10}]}),
]
"""One, or several of which the first counts that finds something."""


class Hmac(Strict):
    """How a source signs: HMAC-SHA256 in hexadecimal, of the body; of `TIMESTAMP:body` where it sends a timestamp."""

    key: Secret = Field(repr=False)
    header: HeaderName = "X-Grafana-Alerting-Signature"
    timestamp_header: HeaderName | None = None


def _hmac(value: object) -> object:
    return {"key": value} if isinstance(value, str) else value


class Mapping(Strict):
    """How `/hooks/generic` reads this source. `each` finds the alerts in the body; the other paths start at one.

    An alert is over where `status` has one of the words in `resolved`. `inside`: a text that holds the body's JSON.
    """

    inside: Annotated[str, AfterValidator(check_path)] | None = None
    each: Annotated[str, AfterValidator(check_path)] = "$"
    labels: dict[str, Fields] = Field(min_length=1)
    annotations: dict[str, Fields] = Field(default_factory=dict)
    status: Fields | None = None
    resolved: tuple[str, ...] = ("resolved", "ok", "recovered", "closed", "up")
    starts_at: Fields | None = None
    link: Fields | None = None


class DeadMan(Strict):
    """An alert that must keep coming, such as Prometheus' Watchdog: its silence is the alarm.

    `within`: seconds that may pass between two words of it.
    """

    name: Name
    match: tuple[Matcher, ...] = Field(min_length=1)
    within: Positive = parse_duration("5m")
    severity: Severity = "SEV2"
    service: Name | None = None


class Source(Strict):
    """An outside system that sends alerts.

    `service`: where its alerts belong that name none. `severities`: its own words for them. `silent_after`: seconds
    without a word after which what it reported by webhook is stale.
    """

    name: Name
    token: Secret = Field(repr=False)
    hmac: Annotated[Hmac | None, BeforeValidator(_hmac)] = Field(default=None, repr=False)
    service: Name | None = None
    severities: dict[str, Severity] = Field(default_factory=dict)
    silent_after: Positive | None = None
    map: Mapping | None = None


class Intake(Strict):
    sources: tuple[Source, ...] = ()
    dead_man: tuple[DeadMan, ...] = ()

    def source(self, name: str) -> Source | None:
        return next((source for source in self.sources if source.name == name), None)


class Heartbeat(Strict):
    """An address outside that is called while all is well here, so that somebody notices when it no longer is."""

    url: WebAddress = Field(repr=False)
    every: Positive = parse_duration("1m")
    method: Literal["GET", "POST"] = "GET"
