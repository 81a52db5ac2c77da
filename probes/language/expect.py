"""`expect` and `until`: what an answer must be, judged in a fixed order."""

import operator
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from probes.duration import Duration, format_duration
from probes.language.checks import HeaderName
from probes.language.keys import Keys
from probes.language.matchers import MatcherField, StatusField
from probes.language.paths import PathText
from probes.pages.page import SelectorText


class SlowerThan(Keys):
    """The step's own time, in seconds, past which it is degraded or down."""

    degraded: Annotated[Duration, Field(gt=0)] | None = None
    down: Annotated[Duration, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.degraded is None and self.down is None:
            raise ValueError("say degraded, down or both, such as {degraded: 1s, down: 5s}")
        if self.degraded is not None and self.down is not None and self.degraded >= self.down:
            raise ValueError("degraded must be shorter than down")
        return self


class ExpiresIn(Keys):
    """How far off the end of a certificate must be, in seconds."""

    gt: Duration | None = None
    gte: Duration | None = None
    lt: Duration | None = None
    lte: Duration | None = None

    @model_validator(mode="before")
    @classmethod
    def _form(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not data:
            raise ValueError("say how much of its life must be left, such as {gt: 14d}")
        return data

    def broken(self, left: float) -> str | None:
        """The first comparison that does not hold, as people read it. `left`: seconds until the end."""
        for sign, limit, holds in (
            (">", self.gt, operator.gt),
            (">=", self.gte, operator.ge),
            ("<", self.lt, operator.lt),
            ("<=", self.lte, operator.le),
        ):
            if limit is not None and not holds(left, limit):
                return f"{sign} {format_duration(limit)}"
        return None


class Expect(Keys):
    status: StatusField | None = None
    header: dict[HeaderName, MatcherField] = Field(default_factory=dict)
    cookie: dict[HeaderName, MatcherField] = Field(default_factory=dict)
    body: MatcherField | None = None
    json_: dict[PathText, MatcherField] = Field(default_factory=dict, alias="json")
    html: dict[SelectorText, MatcherField] = Field(default_factory=dict)
    value: MatcherField | None = None
    expires_in: ExpiresIn | None = None
    protocol: MatcherField | None = None
    slower_than: SlowerThan | None = None

    @property
    def keys_given(self) -> frozenset[str]:
        """The keys that the file has, by their names in the file."""
        return frozenset("json" if name == "json_" else name for name in self.model_fields_set)
