"""A journey: the path of a shopper through the shop, as a file says it. The reference for users is docs/journeys.md."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BeforeValidator, ConfigDict, Field, PrivateAttr, WithJsonSchema, model_validator

from probes.duration import Duration, format_duration
from probes.files.mistakes import Loc, Wrong, raise_all
from probes.files.settings import MUTATES, Mutates, none_word
from probes.language.calm import Flapping, Where, parse_flapping, parse_where
from probes.language.checks import AnyHost, BaseUrl, HeaderName, LabelName, ProxyUrl, Text, VariableName
from probes.language.keys import Keys
from probes.language.kinds import Step
from probes.language.templates import TemplateField, TreeField
from probes.slo import Slo

_MAYBE_ABSOLUTE = re.compile(r"\s*([a-z][a-z0-9+.-]*://|\{\{)", re.IGNORECASE)
_N_OF_M = re.compile(r"(\d{1,3}) of (\d{1,3})")

Severity = Literal["SEV1", "SEV2", "SEV3", "SEV4"]


class After(NamedTuple):
    """`failed` runs among the last `of` raise the alert."""

    failed: int
    of: int


def parse_after(value: Any) -> After:
    """Reads `2 of 3`; a bare number n is n of n. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value} of {value}"
    found = _N_OF_M.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError(f"{value!r} is not N of M, such as 2 of 3")
    after = After(int(found[1]), int(found[2]))
    if not 1 <= after.failed <= after.of <= 100:
        raise ValueError(f"{value!r} cannot be: N is at least 1 and at most M, and M at most 100")
    return after


class CertificateAlert(Keys):
    """An alert about a certificate that ends within so many seconds, apart from whether the journey works."""

    within: Annotated[Duration, Field(gt=0)] = 14 * 86_400.0
    severity: Severity = "SEV3"


class AlertRule(Keys):
    """When runs become an alert. `confirm`: seconds until the next run after a failed one, 0 waits for the interval."""

    after: Annotated[After, BeforeValidator(parse_after), WithJsonSchema({"type": ["string", "integer"]})] = After(2, 3)
    clear: int = Field(default=2, ge=1, le=100)
    confirm: Duration = 3.0
    severity: Severity = "SEV2"
    degraded: Annotated[Severity | None, BeforeValidator(none_word)] = None
    flapping: Annotated[
        Flapping | None, BeforeValidator(parse_flapping), WithJsonSchema({"type": "string", "examples": ["3 in 30m"]})
    ] = Flapping(3, 1800.0)
    where: Annotated[
        Where | None,
        BeforeValidator(parse_where),
        WithJsonSchema({"type": "string", "examples": ["2 of 3 locations"]}),
    ] = None
    certificate: Annotated[CertificateAlert | None, BeforeValidator(none_word)] = CertificateAlert()


class TlsSettings(Keys):
    """Files are relative to the journey's folder."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    verify: bool = True

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if self.key is not None and self.cert is None:
            raise ValueError("key needs cert: the client's certificate that it belongs to")
        return self


class Account(Keys):
    """A shopper's account in the shop. `headers` and `cookies` go along to the shop's own host. Any further key is at
    hand in templates as `account.KEY`."""

    model_config = ConfigDict(extra="allow")

    user: Text = Field(min_length=1)
    password: Text = ""
    headers: dict[HeaderName, Any] = Field(default_factory=dict)
    cookies: dict[str, Any] = Field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """What templates see as `account`."""
        sent: dict[str, Any] = {}
        for key in ("headers", "cookies"):
            if key in self.model_fields_set:
                sent[key] = getattr(self, key)
        return {"user": self.user, "password": self.password, **sent, **(self.model_extra or {})}


class Journey(Keys):
    """Durations are in seconds. `file` and `line` say where it was read, for mistakes and reports."""

    name: str = Field(alias="journey", min_length=1, max_length=100)
    service: str
    every: Annotated[Duration, Field(gt=0)]
    timeout: Annotated[Duration, Field(gt=0)] = 30.0
    base: BaseUrl | None = None
    labels: dict[LabelName, str] = Field(default_factory=dict)
    mutates: Mutates = "none"
    slo: Slo | None = None
    accounts: list[Account] = Field(default_factory=list)
    headers: dict[HeaderName, TemplateField] = Field(default_factory=dict)
    hosts: list[AnyHost] = Field(default_factory=list)
    tls: TlsSettings | None = None
    proxy: ProxyUrl | None = None
    vars: dict[VariableName, TreeField] = Field(default_factory=dict)
    steps: list[Step] = Field(min_length=1)
    cleanup: list[Step] = Field(default_factory=list)
    alert: AlertRule = Field(default_factory=AlertRule)

    _file: Path = PrivateAttr(default=Path())
    _line: int = PrivateAttr(default=1)

    @property
    def file(self) -> Path:
        return self._file

    @property
    def line(self) -> int:
        return self._line

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        raise_all(self._wrongs())
        return self

    def _wrongs(self) -> Iterator[Wrong]:
        for list_name, steps in (("steps", self.steps), ("cleanup", self.cleanup)):
            for index, step in enumerate(steps):
                yield from self._check_step(step, (list_name, index))
                yield from self._check_depth(step, (list_name, index)) if list_name == "steps" else ()
        yield from self._check_accounts()

    def _check_step(self, step: Step, loc: Loc) -> Iterator[Wrong]:
        if step.within is not None and step.within > self.timeout:
            yield Wrong(
                f"within {format_duration(step.within)} is longer than the whole run's timeout, "
                f"{format_duration(self.timeout)}",
                "raise the journey's timeout",
                (*loc, "within"),
            )
        if self.base is None and step.kind == "http" and not _MAYBE_ABSOLUTE.match(step.url.source):
            hint = "say base: https://shop.example, or write the whole URL"
            yield Wrong(f"{step.url.source!r} is relative, but the journey has no base", hint, (*loc, step.verb))

    def _check_depth(self, step: Step, loc: Loc) -> Iterator[Wrong]:
        if step.mutates is not None and MUTATES.index(step.mutates) > MUTATES.index(self.mutates):
            hint = f"say mutates: {step.mutates} at the journey, which is how deep a run of it writes"
            problem = f"goes deeper than the journey, which says mutates: {self.mutates}"
            yield Wrong(problem, hint, (*loc, "mutates"))

    def _check_accounts(self) -> Iterator[Wrong]:
        users: set[str] = set()
        for index, account in enumerate(self.accounts):
            if account.user in users:
                yield Wrong(f"the account {account.user!r} is there twice", at=("accounts", index, "user"))
            users.add(account.user)

    def start(self, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """The context in which a run's templates are rendered.

        `fixed`: account, run_id, now, uuid. The values of `vars` are at hand as `vars.NAME` and as `NAME`.
        """
        context = dict(fixed)
        values: dict[str, Any] = {}
        context["vars"] = values
        for name, tree in self.vars.items():
            values[name] = context[name] = tree.render(context)
        return context
