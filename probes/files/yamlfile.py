"""YAML files by the 1.2 core rules, with the line of every value, and every mistake in them at once.

PyYAML's events are used for the grammar only: its own resolver follows YAML 1.1 (`no` is false, `1:30` is ninety),
and its own composer neither sees duplicate keys nor stops an alias bomb.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from probes.files.mistakes import Loc, Mistake, dotted
from probes.files.validation import validate

__all__ = ["Document", "Loc", "Mistake", "load", "parse", "read_text", "reporter", "validate"]

MAX_BYTES = 1 << 20
MAX_NODES = 100_000  # after aliases are expanded
MAX_DEPTH = 64

_GRAMMAR: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it
_INT = re.compile(r"[-+]?[0-9]{1,4000}|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


@dataclass(frozen=True)
class Document:
    """One YAML document. `data` is plain values: dict, list, str, int, bool, None; decimals for floats (money!).

    `raw` is the data as written in the file, before `${…}` was replaced; `unresolved` the places where that failed.
    """

    data: Any
    path: Path
    name: str  # the file as shown to the user
    lines: dict[Loc, int]
    line: int
    raw: Any = None
    unresolved: frozenset[Loc] = field(default_factory=frozenset)
    mask: Callable[[str], str] = str  # takes secrets out of what is said about the document

    def line_of(self, loc: Loc) -> int:
        """The line of the value, or of the nearest thing around it that is in the file."""
        for end in range(len(loc), 0, -1):
            if loc[:end] in self.lines:
                return self.lines[loc[:end]]
        return self.line

    def mistake(self, loc: Loc, problem: str, hint: str | None = None, *, warning: bool = False) -> Mistake:
        level: Any = "warning" if warning else "error"
        line = self.line_of(loc)
        return Mistake(self.name, line, dotted(loc), self.mask(problem), hint and self.mask(hint), level)

    def with_data(self, data: Any) -> "Document":
        return replace(self, data=data)


def load(path: Path, mistakes: list[Mistake], root: Path | None = None) -> list[Document]:
    """Reads every document of a file; empty ones are left out. What is wrong is appended to `mistakes`.

    A grammar mistake ends the reading, so the documents before it are returned. `root`: names are shown relative to it.
    """
    name = shown(path, root)
    text = read_text(path, mistakes, root)
    return [] if text is None else parse(text, path, name, mistakes)


def shown(path: Path, root: Path | None) -> str:
    return str(path.relative_to(root)) if root is not None and path.is_relative_to(root) else str(path)


def read_text(path: Path, mistakes: list[Mistake], root: Path | None = None) -> str | None:
    """The text of a user's file, or None with a mistake: unreadable, too large, not UTF-8, control characters."""
    name = shown(path, root)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        mistakes.append(Mistake(name, 1, "", f"cannot be read: {error.strerror or error}"))
        return None
    if len(data) > MAX_BYTES:
        mistakes.append(Mistake(name, 1, "", "is larger than 1 MiB", "split it into several files"))
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"is not UTF-8 text: byte 0x{data[error.start]:02x}"
        mistakes.append(Mistake(name, line, "", problem, "save the file as UTF-8"))
        return None
    if found := _FORBIDDEN.search(text):
        line = text.count("\n", 0, found.start()) + 1
        problem = f"control character U+{ord(found[0]):04X} is not allowed"
        mistakes.append(Mistake(name, line, "", problem, r'write it in double quotes, as "\x1b"'))
        return None
    return text


def parse(text: str, path: Path, name: str, mistakes: list[Mistake], line_offset: int = 0) -> list[Document]:
    """Like `load`, for text that is at hand. `line_offset` is added to lines (front matter inside another file)."""
    documents: list[Document] = []
    builder = _Builder(path, name, mistakes, line_offset)
    try:
        for document in builder.documents(yaml.parse(text, Loader=_GRAMMAR)):
            documents.append(document)
    except yaml.MarkedYAMLError as error:
        mistakes.append(_grammar_mistake(error, text.split("\n"), name, line_offset))
    except yaml.YAMLError as error:
        mistakes.append(Mistake(name, 1 + line_offset, "", f"is not YAML: {error}"))
    except _TooMuch as error:
        mistakes.append(Mistake(name, error.line, "", str(error)))
    return documents


def _grammar_mistake(error: yaml.MarkedYAMLError, lines: list[str], name: str, offset: int) -> Mistake:
    """The cure for the mistakes that people make most; else the grammar's own words."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    around = lines[line] if line < len(lines) else ""
    problem, context = error.problem or "cannot be read", error.context or ""
    hint: str | None = None
    if "\t" in around[: column + 1] and not around[: around.find("\t")].strip():
        text, hint = "a tab cannot indent YAML", "use spaces"
    elif around[column : column + 1] in ("@", "`", "%"):
        text, hint = f'text cannot start with "{around[column]}" here', "put it in quotes"
    elif "mapping values are not allowed" in problem:
        text = 'a ": " is not allowed here'
        hint = "put text that holds a colon in quotes, and check the indentation"
    elif "quoted scalar" in context and "end of stream" in problem and error.context_mark:
        line, text = error.context_mark.line, "a quote that opens here is never closed"
    else:
        text = f"is not YAML: {problem} {context}".rstrip()
        if error.context_mark and error.context_mark.line != line:
            hint = f"it begins on line {error.context_mark.line + 1 + offset}"
    return Mistake(name, line + 1 + offset, "", text, hint)


class _TooMuch(Exception):
    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem)
        self.line = line


@dataclass
class _Node:
    """A node of the document's tree: `value` is a scalar, a list of nodes, or a list of pairs of nodes."""

    kind: str  # scalar | list | map
    value: Any
    line: int
    quoted: bool = False


class _Builder:
    """Events -> nodes -> plain data, with the line of each place."""

    def __init__(self, path: Path, name: str, mistakes: list[Mistake], line_offset: int) -> None:
        self.path, self.name, self.mistakes, self.offset = path, name, mistakes, line_offset
        self.anchors: dict[str, _Node | None] = {}
        self.count = 0
        self.lines: dict[Loc, int] = {}

    def documents(self, events: Iterator[Any]) -> Iterator[Document]:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.anchors, self.count, self.lines = {}, 0, {}
                node = self._node(next(events), events, 0)
                data = self._data(node, (), 0)
                if data is not None:
                    yield Document(data, self.path, self.name, self.lines, node.line, raw=data)

    def _line(self, event: Any) -> int:
        return int(event.start_mark.line) + 1 + self.offset

    def _wrong(self, line: int, loc: Loc, problem: str, hint: str | None = None) -> None:
        self.mistakes.append(Mistake(self.name, line, dotted(loc), problem, hint))

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> _Node:
        line = self._line(event)
        if depth > MAX_DEPTH:
            raise _TooMuch(f"is nested more than {MAX_DEPTH} levels deep", line)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise _TooMuch(f"*{event.anchor} names no anchor above it", line)
            if (known := self.anchors[event.anchor]) is None:
                raise _TooMuch(f"*{event.anchor} contains itself", line)
            return _Node(known.kind, known.value, line, known.quoted)
        if event.tag and event.tag not in _TAGS and event.tag != "!":
            self._wrong(line, (), f"tag {event.tag} is not allowed", "plain values only")
        if event.anchor:
            self.anchors[event.anchor] = None
        node = self._content(event, events, depth, line)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _content(self, event: Any, events: Iterator[Any], depth: int, line: int) -> _Node:
        if isinstance(event, yaml.ScalarEvent):
            text_tag = event.tag in ("!", "tag:yaml.org,2002:str")
            return _Node("scalar", event.value, line, quoted=text_tag or not event.implicit[0])
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[_Node] = []
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                items.append(self._node(inner, events, depth + 1))
            return _Node("list", items, line)
        pairs: list[tuple[_Node, _Node]] = []
        while not isinstance(inner := next(events), yaml.MappingEndEvent):
            key = self._node(inner, events, depth + 1)
            pairs.append((key, self._node(next(events), events, depth + 1)))
        return _Node("map", pairs, line)

    def _data(self, node: _Node, loc: Loc, depth: int) -> Any:
        self.count += 1
        if self.count > MAX_NODES or depth > MAX_DEPTH:
            raise _TooMuch("is too large once its aliases are expanded", node.line)
        self.lines.setdefault(loc, node.line)
        if node.kind == "scalar":
            return node.value if node.quoted else plain_scalar(node.value)
        if node.kind == "list":
            return [self._data(item, (*loc, index), depth + 1) for index, item in enumerate(node.value)]
        return self._mapping(node, loc, depth)

    def _mapping(self, node: _Node, loc: Loc, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in node.value:
            if key.kind != "scalar":
                template = key.kind == "map" and len(node.value) == 1
                self._wrong(
                    key.line, loc, "a key must be text", 'put a template in quotes: "{{ … }}"' if template else None
                )
                continue
            here = (*loc, key.value)
            if key.value in result:
                self._wrong(key.line, here, f'key "{key.value}" is written twice', f"first on line {self.lines[here]}")
                continue
            self.lines[here] = key.line
            result[key.value] = self._data(value, here, depth + 1)
        return result


def plain_scalar(text: str) -> Any:
    """The value of an unquoted scalar by the core schema of YAML 1.2; floats as decimals."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return Decimal(text)
    return text


Report = Callable[..., None]
"""`report(loc, problem, hint=None)`: how checks that know no file say where something is wrong."""


def reporter(document: Document, mistakes: list[Mistake], *, warning: bool = False) -> Report:
    def report(loc: Loc, problem: str, hint: str | None = None) -> None:
        mistakes.append(document.mistake(loc, problem, hint, warning=warning))

    return report
