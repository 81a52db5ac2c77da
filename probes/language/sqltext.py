"""SQL of a journey file with `{{ … }}` in it: what a template brings in is always one value, quoted as SQL wants it,
and never SQL itself.

Inside a literal it is a part of that text (`'{{ order }}'`); anywhere else it is a whole literal of its own (a number,
a text in quotes, NULL). So both ways of writing a condition mean the same, and what a shop's page said of itself cannot
change the query.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from probes.files.mistakes import Wrong
from probes.language.templates import Template, TemplateFailed
from probes.language.values import to_text

_EXPRESSION = r"\{\{.*?\}\}"
_TOKENS = re.compile(
    rf"(?P<value>{_EXPRESSION})"
    rf"|(?P<text>'(?:{_EXPRESSION}|''|[^'{{]|\{{(?!\{{))*')"
    r'|(?P<name>"(?:[^"]|"")*")'
    r"|(?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"
    r"|(?P<comment>--[^\n]*|/\*.*?\*/)"
    r"|(?P<end>;)"
    r"|(?P<plain>[^'\"{$;/-]+|.)",
    re.DOTALL,
)
_ONE = "in sql a template is one {{ … }}, in the place of a value or inside a text in quotes"
_READS = re.compile(r"\s*\(?\s*(select|with|values)\b", re.IGNORECASE)


class SqlTemplate(Template):
    """`text` gives the statement with every value quoted."""

    __slots__ = ("_pieces",)

    def __init__(self, source: str) -> None:
        """Raises ValueError with a text for the user."""
        super().__init__(source)
        tokens = list(_tokens(source))
        check_reads("".join(text for kind, text in tokens if kind != "comment"), tokens)
        if not self.constant and ("{%" in source or "{#" in source):
            raise Wrong(_ONE)
        self._pieces = [] if self.constant else [_piece(kind, text) for kind, text in tokens]

    def text(self, context: Mapping[str, Any]) -> str:
        """One statement. Raises TemplateFailed."""
        if self.constant:
            return self.source
        return "".join(piece if isinstance(piece, str) else piece.sql(context) for piece in self._pieces)


class _Value:
    """One `{{ … }}` outside a literal, or a whole literal with templates inside."""

    __slots__ = ("_template",)

    def __init__(self, source: str) -> None:
        self._template = Template(source)

    def sql(self, context: Mapping[str, Any]) -> str:
        return literal(self._template.render(context))


class _Text(_Value):
    def sql(self, context: Mapping[str, Any]) -> str:
        return literal(self._template.text(context))


def literal(value: Any) -> str:
    """A value as SQLite and PostgreSQL both read it; an instant in UTC, without zone. Raises TemplateFailed."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return f"({to_text(value)})" if value < 0 else to_text(value)
    if isinstance(value, list):
        return ", ".join(literal(item) for item in value) or "NULL"
    if isinstance(value, datetime):
        value = value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    text = to_text(value)
    if "\0" in text:
        raise TemplateFailed("a text for SQL cannot hold NUL")
    quoted = text.replace("'", "''")
    return f"'{quoted}'"


def check_reads(statement: str, tokens: list[tuple[str, str]]) -> None:
    """Raises ValueError for more than one statement, and for one that does not begin as a query does.

    The database is asked in a way that lets nothing be written; this is so that the file's author is told early.
    """
    rest = [text.strip() for kind, text in tokens if kind != "comment"]
    while rest and rest[-1] in ("", ";"):
        rest.pop()
    if ";" in rest:
        raise Wrong("sql asks one statement", "make each a step of its own")
    if not _READS.match(statement):
        raise Wrong("sql only reads: the statement begins with select, with or values")


def _tokens(source: str) -> Iterator[tuple[str, str]]:
    """What `${…}` brought in stands in the source as it is; it is never read as a template."""
    segments = getattr(source, "segments", ((source, False),))
    if any("{{" in piece for piece, brought in segments if brought):
        raise Wrong("what ${…} brings into sql cannot hold {{")
    for found in _TOKENS.finditer(str(source)):
        kind = found.lastgroup or "plain"
        yield ("dollar" if kind == "tag" else kind), found[0]


def _piece(kind: str, text: str) -> str | _Value:
    if kind == "value":
        return _Value(text)
    if kind == "text" and "{{" in text:
        return _Text(text[1:-1].replace("''", "'"))
    if kind != "plain" and "{{" in text:
        raise Wrong(_ONE)
    return text


def compile_sql(value: Any) -> SqlTemplate:
    if isinstance(value, SqlTemplate):
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError("sql needs a statement, as text")
    return SqlTemplate(value)


SqlField = Annotated[SqlTemplate, BeforeValidator(compile_sql), WithJsonSchema({"type": "string"})]
