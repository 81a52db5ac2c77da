"""The JSON bodies of our own API: what an action takes, and the shape of what comes back (for the OpenAPI document)."""

from typing import Any, Literal

from pydantic import AwareDatetime, Base64Bytes, BaseModel, ConfigDict, Field

SeverityName = Literal["SEV1", "SEV2", "SEV3", "SEV4"]
Status = Literal["investigating", "identified", "monitoring", "resolved"]
TEXT = 10_000  # characters


class Args(BaseModel):
    """What every action takes. `expect_seq`: refuse (409) if anything happened after this event."""

    model_config = ConfigDict(extra="forbid")

    expect_seq: int | None = Field(default=None, ge=1, le=2**31 - 1)

    def given(self) -> dict[str, Any]:
        """For `Desk.perform`: what was said, instants as ISO 8601."""
        return self.model_dump(mode="json", exclude_none=True, by_alias=True)


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
    force: bool = Field(default=False, description="With status resolved: although something speaks against it.")


class Assign(Args):
    role: Literal["commander", "communications", "scribe"]
    who: str = Field(min_length=1, max_length=200)


class Sev(Args):
    severity: SeverityName
    text: str | None = Field(default=None, max_length=TEXT, description="Why.")


class Runbook(Args):
    name: str = Field(min_length=1, max_length=200, description="The runbook that somebody follows.")


class Why(Args):
    text: str | None = Field(default=None, max_length=TEXT)


class Resolve(Why):
    force: bool = Field(default=False, description="Although something speaks against it; then say why.")


class Merge(Args):
    into: int = Field(ge=1, le=2**31 - 1, description="The incident in which it goes on.")


class Duplicate(Args):
    of: int = Field(ge=1, le=2**31 - 1)


class Unlink(Args):
    other: int = Field(ge=1, le=2**31 - 1)


class Link(Unlink):
    how: Literal["related", "caused by", "causes", "duplicate of", "has duplicate"] = "related"


class Task(Args):
    text: str = Field(min_length=1, max_length=TEXT)
    owner: str | None = Field(default=None, min_length=1, max_length=200)
    due: AwareDatetime | None = None
    action_item: bool = Field(default=False, description="For afterwards, so that it does not come again.")


class TaskChange(Args):
    task: str = Field(min_length=1, max_length=10, description="Its number.")
    text: str | None = Field(default=None, min_length=1, max_length=TEXT)
    owner: str | None = Field(default=None, min_length=1, max_length=200)
    due: AwareDatetime | None = None


class TaskDone(Args):
    task: str = Field(min_length=1, max_length=10, description="Its number.")
    undone: bool = False


class Cause(Args):
    text: str = Field(min_length=1, max_length=200, description="A root cause, in the same words each time.")


class Silence(Args):
    """What the incident's alerts have in common is held back."""

    seconds: float = Field(gt=0, le=30 * 86400, alias="for", description="For so many seconds.")
    text: str | None = Field(default=None, max_length=TEXT, description="Why.")


class Redact(Args):
    seq: int = Field(ge=1, le=2**31 - 1, description="The event to blank.")
    text: str | None = Field(default=None, max_length=TEXT, description="Why.")


class Review(Args):
    text: str = Field(min_length=1, max_length=100_000, description="Markdown.")


ACTION_ARGS: dict[str, type[Args]] = {
    "ack": Ack,
    "note": Note,
    "update": Update,
    "assign": Assign,
    "sev": Sev,
    "runbook": Runbook,
    "resolve": Resolve,
    "reopen": Why,
    "merge": Merge,
    "unmerge": Args,
    "duplicate": Duplicate,
    "link": Link,
    "unlink": Unlink,
    "task": Task,
    "task_change": TaskChange,
    "task_done": TaskDone,
    "cause": Cause,
    "review": Review,
    "silence": Silence,
    "redact": Redact,
}


class NewAttachment(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    media_type: str = Field(default="application/octet-stream", max_length=100, pattern=r"^[\w.+-]+/[\w.+-]+$")
    content: Base64Bytes = Field(max_length=2 << 20, description="Base64, of at most 1 MiB.")


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
    role: Literal["viewer", "responder", "commander", "admin", "source"] | None = Field(
        default=None, description="Missing: that of the person of this name in shopwatch.yaml."
    )


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
