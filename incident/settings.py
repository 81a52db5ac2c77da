"""The whole of `shopwatch.yaml`. The reference for users is docs/settings.md.

References between its parts (a route's channels, a schedule's people, …) are checked in `incident.references`.
"""

import re
from ipaddress import ip_network
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from incident.history.settings import BurnRate
from incident.intake.settings import Heartbeat, Intake
from incident.muting_settings import Inhibit, MaintenanceWindow, Matcher
from incident.references import references
from probes.duration import Duration
from probes.files.mistakes import Mistake, WorkspaceInvalid, errors
from probes.files.settings import (
    Day,
    Name,
    Positive,
    Severity,
    ShopSettings,
    Strict,
    TimeZone,
    Title,
    WebAddress,
    none_word,
)
from probes.files.workspace import Workspace

Role = Literal["viewer", "responder", "commander", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "responder", "commander", "admin")  # each may do what those before it may

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
Secret = Annotated[str, StringConstraints(min_length=1)]


def _clock(text: str) -> str:
    hour, colon, minute = text.partition(":")
    if not (
        colon and len(hour) == len(minute) == 2 and (hour + minute).isdecimal() and (hour < "24" and minute < "60")
    ):
        raise ValueError(f'"{text}" is not a time of day: write 24-hour HH:MM, such as 09:00')
    return text


def _handoff(text: str) -> str:
    """`20:00`, or `Mon 09:00` where shifts are weeks long."""
    day, space, clock = text.rpartition(" ")
    if space and day not in _WEEKDAYS:
        raise ValueError(f'"{day}" is not a day of the week: write Mon, Tue, Wed, Thu, Fri, Sat or Sun')
    _clock(clock)
    return text


def _only(text: str) -> str:
    """`Sat,Sun 20:00-08:00`: days, hours, or both; hours may pass midnight."""
    for part in text.split(" "):
        if ":" in part:
            start, dash, end = part.partition("-")
            if not dash:
                raise ValueError(f'"{part}" is not a range of hours: write one such as 20:00-08:00')
            _clock(start)
            _clock(end)
        elif unknown := [day for day in part.split(",") if day not in _WEEKDAYS]:
            raise ValueError(f'"{unknown[0]}" is not a day of the week: write Mon, Tue, Wed, Thu, Fri, Sat or Sun')
    return text


def _shift(seconds: float) -> float:
    if seconds < 3600 or seconds % 3600:
        raise ValueError("is not a shift: write whole hours, days or weeks, such as 12h, 1d, 1w")
    return seconds


def _network(text: str) -> str:
    try:
        ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f'"{text}" is not an address or network: write one such as 10.0.0.0/8') from None
    return text


def _like(pattern: str, what: str) -> AfterValidator:
    def validate(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f'"{text}" is not {what}')
        return text

    return AfterValidator(validate)


SlackMember = Annotated[
    str, _like(r"[UW][A-Z0-9]{2,}", "a Slack member's id, such as U024BE7LH (profile, Copy member ID)")
]
SlackChannel = Annotated[
    str, _like(r"#[^\s#]{1,80}|[CGD][A-Z0-9]{2,}", 'a Slack channel: write "#name" or its id, such as C024BE7LH')
]
Email = Annotated[str, _like(r"[^@\s]+@[^@\s]+", "a mail address")]
AppriseUrl = Annotated[str, _like(r"[a-zA-Z][a-zA-Z0-9+.-]*:.+", "an Apprise URL, such as mailto://user:password@host")]


class Person(Strict):
    """`slack` is a member's id (U…), not a display name: names can be taken by others."""

    name: Title
    role: Role = "responder"
    slack: SlackMember | None = None
    email: Email | None = None
    page_by: tuple[str, ...] = ()
    time_zone: TimeZone | None = None


class Layer(Strict):
    """One rotation. `start` is `from` in the file: the first hand-off is on or after that day."""

    people: tuple[str, ...] = Field(min_length=1)
    shift: Annotated[Duration, AfterValidator(_shift)]
    handoff: Annotated[str, AfterValidator(_handoff)]
    start: Day = Field(alias="from")
    only: Annotated[str, AfterValidator(_only)] | None = None


class Schedule(Strict):
    time_zone: TimeZone | None = None
    layers: tuple[Layer, ...] = Field(min_length=1)


class Level(Strict):
    to: tuple[str, ...] = Field(min_length=1)
    wait: Positive = 300.0


class Escalation(Strict):
    levels: tuple[Level, ...] = Field(min_length=1)
    repeat: int = Field(default=0, ge=0, le=100)


class Channel(Strict):
    """One way to tell people. Exactly one of slack, apprise, webhook, console says the kind."""

    slack: SlackChannel | None = None
    apprise: AppriseUrl | None = Field(default=None, repr=False)
    webhook: WebAddress | None = None
    secret: Secret | None = Field(default=None, repr=False)
    console: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [name for name in CHANNEL_KINDS if getattr(self, name) is not None]
        if len(kinds) != 1:
            many = f"{' and '.join(kinds)} are" if kinds else "nothing is"
            raise ValueError(f"{many} said: a channel has exactly one of slack, apprise, webhook or console")
        if self.secret is not None and self.webhook is None:
            raise ValueError("secret signs a webhook, and this channel is none")
        return self

    @property
    def kind(self) -> str:
        return next(name for name in CHANNEL_KINDS if getattr(self, name) is not None)


CHANNEL_KINDS = ("slack", "apprise", "webhook", "console")


class Route(Strict):
    """Where alerts go. `match`: all must hold; none means every alert. Nested `routes` refine what matched here.

    `group_by`: labels whose values tell incidents apart; `...` for all labels, none for those of the route above.
    """

    match: tuple[Matcher, ...] = ()
    group_by: tuple[Annotated[str, _like(r"[a-zA-Z_][a-zA-Z0-9_]*|\.\.\.", "the name of a label, or ...")], ...] = ()
    escalation: str | None = None
    channels: tuple[str, ...] = ()
    routes: tuple["Route", ...] = ()


class SlackSettings(Strict):
    mode: Literal["socket", "http"] = "http"
    bot_token: Secret = Field(repr=False)
    app_token: Secret | None = Field(default=None, repr=False)
    signing_secret: Secret | None = Field(default=None, repr=False)
    api_url: WebAddress = "https://slack.com/api/"

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.mode == "socket" and self.app_token is None:
            raise ValueError("mode socket needs app_token (xapp-…)")
        if self.mode == "http" and self.signing_secret is None:
            raise ValueError("mode http needs signing_secret, to know that a request is from Slack")
        return self


class Listen(Strict):
    """`names`: host names by which this Shopwatch is reached, besides its addresses and the status page's."""

    host: Annotated[str, StringConstraints(min_length=1)] = "127.0.0.1"
    port: int = Field(default=8470, ge=0, le=65535)
    names: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")], ...] = ()
    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = ()


class StatusPage(Strict):
    """`automatic`: a SEV1 or SEV2 that nobody spoke about for so many seconds shows itself; None: never."""

    title: Title | None = None
    public_url: WebAddress | None = None
    logo: str | None = None
    automatic: Positive | None = None


DurationOrNone = Annotated[
    Positive | None,
    BeforeValidator(none_word),
    WithJsonSchema({"type": ["string", "null"], "examples": ["30m", "none"]}),
]


class Incidents(Strict):
    """How alerts become incidents. Seconds, None for never.

    `auto_resolve`: in `monitoring`, after which an incident resolves by itself. `settle`: that alerts of services which
    need the root's go on without it before they stand on their own. `rejoin`: after it was resolved that an alert opens
    its incident again; `page_again`: the least between two pages of one incident for that reason. `at_risk`: how many
    orders a minute make a SEV1, a SEV2, ….
    """

    auto_resolve: DurationOrNone = None
    settle: Positive = 60.0
    rejoin: DurationOrNone = 1800.0
    page_again: Positive = 600.0
    at_risk: dict[Severity, Annotated[float, Field(gt=0)]] = Field(default={"SEV1": 10.0, "SEV2": 1.0})


class Settings(ShopSettings):
    """shopwatch.yaml, whole."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    people: dict[Name, Person] = Field(default_factory=dict)
    schedules: dict[Name, Schedule] = Field(default_factory=dict)
    escalations: dict[Name, Escalation] = Field(default_factory=dict)
    channels: dict[Name, Channel] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    slack: SlackSettings | None = None
    listen: Listen = Listen()
    intake: Intake = Intake()
    heartbeat: Heartbeat | None = None
    status_page: StatusPage = StatusPage()
    incidents: Incidents = Incidents()
    burn_rate: BurnRate = BurnRate()
    inhibit: tuple[Inhibit, ...] = ()
    maintenance: tuple[MaintenanceWindow, ...] = ()


def load_settings(workspace: Workspace) -> Settings:
    """The workspace's shopwatch.yaml. Raises WorkspaceInvalid with every error in it."""
    settings, mistakes = read_settings(workspace)
    if settings is None or errors(mistakes):
        raise WorkspaceInvalid(errors(mistakes))
    return settings


def read_settings(workspace: Workspace) -> tuple[Settings | None, list[Mistake]]:
    """What could be read, and every mistake: of single values and of references between them."""
    mistakes: list[Mistake] = []
    settings = workspace.read_settings(Settings, mistakes)
    if workspace.document is not None:
        mistakes.extend(references(workspace.document))
    return settings, mistakes
