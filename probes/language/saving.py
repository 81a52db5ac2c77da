"""`save`: what a step keeps of an answer for the steps after it."""

from typing import Any, Self

from pydantic import Field, model_validator

from probes.files.mistakes import Wrong
from probes.language.checks import HeaderName, SavedRegex, VariableName
from probes.language.keys import Keys
from probes.language.paths import PathText
from probes.language.templates import TreeField
from probes.pages.page import SelectorText

KINDS = ("json", "html", "header", "cookie", "regex", "status", "value")

SaveName = VariableName


class Save(Keys):
    """Exactly one kind. `default` stands in where nothing is found (without it the step fails)."""

    json_: PathText | None = Field(default=None, alias="json")
    html: SelectorText | None = None
    attr: str | None = None
    header: HeaderName | None = None
    cookie: HeaderName | None = None
    regex: SavedRegex | None = None
    status: bool = False
    value: bool = False
    default: TreeField | None = None

    @model_validator(mode="before")
    @classmethod
    def _keyword(cls, data: Any) -> Any:
        return {data: True} if data in ("status", "value") else data

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if len(self.kinds) != 1:
            raise ValueError(f"say one of {', '.join(KINDS)}: where the value comes from")
        if self.attr is not None and self.html is None:
            raise Wrong("attr belongs to html: the attribute of which element?", at=("attr",))
        for word in ("status", "value"):
            if word in self.kinds and not getattr(self, word):
                raise Wrong(f"{word}: true, or the word {word} alone", at=(word,))
        return self

    @property
    def kinds(self) -> list[str]:
        return [kind for kind in KINDS if ("json_" if kind == "json" else kind) in self.model_fields_set]

    @property
    def kind(self) -> str:
        """Where the value comes from: one of KINDS."""
        return self.kinds[0]

    @property
    def has_default(self) -> bool:
        return "default" in self.model_fields_set
