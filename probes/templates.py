"""Templates of journey files: sandboxed Jinja2, compiled once, bounded."""

from collections.abc import Mapping
from typing import Annotated, Any

from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BeforeValidator, WithJsonSchema

_ENVIRONMENT = ImmutableSandboxedEnvironment()


class Template:
    """`constant` says that rendering gives `source` itself, at no cost."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.constant = "{{" not in source and "{%" not in source
        self._code = None if self.constant else _ENVIRONMENT.from_string(source)

    def render(self, context: Mapping[str, Any]) -> Any:
        return self.source if self._code is None else self._code.render(context)


class Tree:
    """Any value of a file (mappings, lists, scalars) whose texts may be templates."""

    def __init__(self, data: Any) -> None:
        self.source = data
        self.constant = True

    def render(self, context: Mapping[str, Any]) -> Any:
        return self.source


def _scalar(value: Any) -> Template:
    return value if isinstance(value, Template) else Template(str(value))


def _tree(value: Any) -> Tree:
    return value if isinstance(value, Tree) else Tree(value)


TemplateField = Annotated[Template, BeforeValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]
TreeField = Annotated[Tree, BeforeValidator(_tree), WithJsonSchema({})]
