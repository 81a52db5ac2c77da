"""One runbook: a Markdown file with YAML front matter. Docs: docs/runbooks.md."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from markdown_it import MarkdownIt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from probes.duration import Duration
from probes.files.mistakes import Mistake
from probes.files.settings import Day
from probes.files.yamlfile import parse, read_text, shown, validate
from probes.labels import LabelMatcher, parse_matcher

EXPECTED_SECTIONS = ("Meaning", "Impact", "Diagnosis", "Mitigation")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.S | re.M)


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", text):
        raise ValueError(f'"{text}" cannot be a runbook\'s name: use lower-case words joined by hyphens')
    return text


Name = Annotated[str, AfterValidator(_name)]
Matchers = Annotated[tuple[str, ...], AfterValidator(lambda texts: tuple(str(parse_matcher(text)) for text in texts))]


class Parameter(BaseModel):
    """What a runbook wants to know before its steps can run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enum: list[str] | None = None
    required: bool = False
    default: str | None = None
    description: str | None = None


class FrontMatter(BaseModel):
    """The head of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    runbook: Name
    title: str = Field(min_length=1)
    title_zh: str | None = None
    matches: Matchers = ()
    owner: str | None = None
    reviewed: Day | None = None
    review_every: Duration | None = None
    params: dict[str, Parameter] = {}


class PreparedUpdate(BaseModel):
    """An `update` fence: what to tell people, ready to be sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    public: bool = False
    status: Literal["investigating", "identified", "monitoring", "resolved"] | None = None
    en: str = Field(min_length=1)
    zh: str | None = None


@dataclass(frozen=True)
class Runbook:
    """`body` is the Markdown after the front matter; `sections` maps each second-level heading to its Markdown."""

    head: FrontMatter
    body: str
    sections: dict[str, str]
    updates: tuple[PreparedUpdate, ...]
    path: Path
    shipped: bool

    @property
    def name(self) -> str:
        return self.head.runbook

    @property
    def matchers(self) -> tuple[LabelMatcher, ...]:
        return tuple(parse_matcher(text) for text in self.head.matches)

    def review_overdue(self, today: date) -> bool:
        if self.head.reviewed is None or self.head.review_every is None:
            return False
        return today > self.head.reviewed + timedelta(seconds=self.head.review_every)

    def to_json(self) -> dict[str, Any]:
        return {
            "runbook": self.name,
            "title": self.head.title,
            "title_zh": self.head.title_zh,
            "matches": list(self.head.matches),
            "owner": self.head.owner,
            "reviewed": self.head.reviewed and self.head.reviewed.isoformat(),
            "shipped": self.shipped,
            "path": str(self.path),
        }


def read(path: Path, mistakes: list[Mistake], root: Path | None = None, *, shipped: bool = False) -> Runbook | None:
    """The runbook in a file; None, with the mistakes appended, where it cannot be used."""
    text = read_text(path, mistakes, root)
    if text is None:
        return None
    name = shown(path, root)
    text = text.replace("\r\n", "\n")
    found = _FRONT_MATTER.match(text)
    if found is None:
        mistakes.append(Mistake(name, 1, "", "has no front matter", "start with ---, runbook: NAME, title: …, and ---"))
        return None
    documents = parse(found[1], path, name, mistakes, line_offset=1)
    head = validate(FrontMatter, documents[0], mistakes) if documents else None
    body = text[found.end() :]
    sections, updates = _walk(body, text.count("\n", 0, found.end()), path, name, mistakes)
    if head is None:
        return None
    for section in EXPECTED_SECTIONS:
        if section not in sections:
            problem = f'has no section "## {section}"'
            mistakes.append(Mistake(name, 1, "", problem, "people look for it at 3 a.m.", "warning"))
    return Runbook(head, body, sections, tuple(updates), path, shipped)


def _walk(
    body: str, offset: int, path: Path, name: str, mistakes: list[Mistake]
) -> tuple[dict[str, str], list[PreparedUpdate]]:
    """The sections by heading, and the prepared updates. `offset`: lines of the file before the body."""
    tokens = MarkdownIt("commonmark").parse(body)
    updates = []
    for token in tokens:
        if token.type == "fence" and token.info.strip() == "update" and token.map:
            documents = parse(token.content, path, name, mistakes, line_offset=offset + token.map[0] + 1)
            update = validate(PreparedUpdate, documents[0], mistakes) if documents else None
            if update is not None:
                updates.append(update)
    return _sections(body.split("\n"), tokens), updates


def _sections(lines: Sequence[str], tokens: Sequence[Any]) -> dict[str, str]:
    starts = [
        (tokens[index + 1].content.strip(), *token.map)
        for index, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h2"
    ]
    ends = [first for _, first, _ in starts[1:]] + [len(lines)]
    return {title: "\n".join(lines[after:end]).strip() for (title, _, after), end in zip(starts, ends, strict=True)}
