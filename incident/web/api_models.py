"""The JSON bodies of our own API: what an action takes, and the shape of what comes back (for the OpenAPI document)."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

SeverityName = Literal["SEV1", "SEV2", "SEV3", "SEV4"]
Status = Literal["investigating", "identified", "monitoring", "resolved"]
TEXT = 10_000  # characters


class Args(BaseModel):
    """What every action takes. `expect_seq`: refuse (409) if anything happened after this event."""

    model_config = ConfigDict(extra="forbid")

    expect_seq: int | None = Field(default=None, ge=1, le=2**31 - 1)

    def given(self) -> dict[str, Any]:
        """For `Desk.perform`: what was said, instants as ISO 8601."""
        return self.model_dump(mode="json", exclude_none=True)


class Ack(Args):
    pass


class Note(Args):
    text: str = Field(min_length=1, max_length=TEXT)


class Update(Args):
    text: str = Field(min_length=1, max_length=TEXT)
    text_zh: str | None = Field(default=None, min_length=1, max_length=TEXT, description="The same in Chinese.")
    public: bool = Field(default=False, description="For the status page too.")
    status: Status | None = None
    next_update_due: AwareDatetime | None = None


class Assign(Args):
    role: Literal["commander", "communications", "scribe"]
    who: str = Field(min_length=1, max_length=200)


class Sev(Args):
    severity: SeverityName
    text: str | None = Field(default=None, max_length=TEXT, description="Why.")


class Runbook(Args):
    name: str = Field(min_length=1, max_length=200, description="The runbook that somebody follows.")


class Why(Args):
    """For `resolve` and `reopen`."""

    text: str | None = Field(default=None, max_length=TEXT)


ACTION_ARGS: dict[str, type[Args]] = {
    "ack": Ack,
    "note": Note,
    "update": Update,
    "assign": Assign,
    "sev": Sev,
    "runbook": Runbook,
    "resolve": Why,
    "reopen": Why,
}


class Open(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1, max_length=200)
    service: str | None = Field(default=None, max_length=200)
    severity: SeverityName | None = None
    text: str | None = Field(default=None, max_length=TEXT, description="A first note.")


class OpenDrill(BaseModel):
    """While it is open, what its services cause is marked as the drill's. `services` missing: all."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    target: str = Field(min_length=1, max_length=200)
    services: list[str] | None = None
    until: AwareDatetime


class CloseDrill(BaseModel):
    model_config = ConfigDict(extra="forbid")

    scorecard: dict[str, Any]


class NewToken(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[\w.@+-]+$")
    role: Literal["viewer", "responder", "commander", "admin", "source"]


class Shape(BaseModel):
    """Base of what is returned: more keys may come in later versions."""

    model_config = ConfigDict(extra="allow")


class IncidentShape(Shape):
    number: int
    title: str
    service: str
    services: list[str]
    severity: SeverityName
    status: Status
    drill: str | None
    opened_at: str
    acknowledged_at: str | None
    mitigated_at: str | None
    resolved_at: str | None
    roles: dict[str, str]
    alerts: list[str] = Field(description="Fingerprints.")
    runbooks: list[str]
    next_update_due: str | None
    url: str


class EventShape(Shape):
    seq: int
    at: str
    actor: str
    kind: str
    text: str
    data: dict[str, Any]


class ErrorShape(BaseModel):
    error: str
