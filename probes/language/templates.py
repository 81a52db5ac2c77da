"""Templates of journey files, compiled once at load: `{{ … }}` in any value.

A value that is one `{{ … }}` and nothing else keeps the type of what it says; any other becomes text. What `${…}`
brought in is never read as a template (`probes.files.secrets.Text`).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateError as JinjaError
from jinja2 import TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import Undefined
from pydantic import BeforeValidator, WithJsonSchema

from probes.errors import ProbesError
from probes.language.bounds import MAX_ITEMS, bounded, start_budget
from probes.language.filters import ALL
from probes.language.sandbox import Sandbox
from probes.language.values import to_text

MAX_SOURCE = 64 * 1024
MAX_OUTPUT = 64 * 1024
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"  # noncharacters: they stand for pieces that `${…}` brought in
_LITERAL = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_RESULT = "__result"

_FAILURES = (JinjaError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)

_sandbox = Sandbox(ALL)


class TemplateFailed(ProbesError):
    """A template that cannot be rendered with what the run has; the text says which and why."""


class Template:
    """One text of a file. `constant`: it has no template in it, and rendering gives `source` itself at no cost.

    `names`: what it needs from the context; `required`: those of them that it does not ask `is defined` or `default`.
    """

    __slots__ = ("_given", "_render", "constant", "names", "required", "single", "source")

    def __init__(self, source: str) -> None:
        """Raises ValueError with a text for the user."""
        self._given = source
        self.source = str(source)
        self.names: frozenset[str] = frozenset()
        self.required: frozenset[str] = frozenset()
        self.single = False
        self.constant = not _has_template(source)
        self._render: Callable[[Mapping[str, Any]], Any] | None = None
        if not self.constant:
            self._compile(source)

    def __repr__(self) -> str:
        return f"Template({self.source!r})"

    def __reduce__(self) -> Any:
        return compile_template, (self._given,)

    def render(self, context: Mapping[str, Any]) -> Any:
        """The value. Raises TemplateFailed."""
        if self._render is None:
            return self.source
        start_budget()
        try:
            return self._render(context)
        except UndefinedError as error:
            raise TemplateFailed(f"the template {self._shown()} fails: {error.message}") from None
        except _FAILURES as error:
            raise TemplateFailed(f"the template {self._shown()} fails: {_words(error)}") from None

    def text(self, context: Mapping[str, Any]) -> str:
        """The value as text. Raises TemplateFailed."""
        return self.source if self._render is None else to_text(self.render(context))

    def _shown(self) -> str:
        return self.source if len(self.source) <= 200 else self.source[:200] + " …"

    def _compile(self, source: str) -> None:
        text, literals = _split(source)
        if len(text) > MAX_SOURCE:
            raise ValueError(f"a template has at most {MAX_SOURCE} characters")
        try:
            tree = _sandbox.parse_checked(text)
            _put_back(tree, literals)
            self.names = frozenset(find_undeclared_variables(tree)) - {"range"}
            self.required = self.names - _guarded(tree)
            expression = _single(tree, text)
            self.single = expression is not None
            self._render = _compile_text(tree) if expression is None else _compile_value(expression)
        except TemplateSyntaxError as error:
            raise ValueError(f"bad template {self._shown()}: {error.message}") from None
        except SecurityError as error:
            raise ValueError(f"bad template {self._shown()}: {error.message}") from None
        except (RecursionError, MemoryError, SyntaxError):
            raise ValueError(f"bad template {self._shown()}: nested too deeply") from None


def _has_template(source: str) -> bool:
    segments = getattr(source, "segments", None)
    if segments is not None:
        return any(_has_template(piece) for piece, literal in segments if not literal)
    return "{{" in source or "{%" in source or "{#" in source


def _split(source: str) -> tuple[str, list[str]]:
    """The text with a mark for each literal piece, and the pieces."""
    segments = getattr(source, "segments", ((str(source), False),))
    if any(_OPEN in piece or _CLOSE in piece for piece, literal in segments if not literal):
        raise ValueError("the characters U+FDD0 and U+FDD1 have no place in a template")
    literals = [piece for piece, literal in segments if literal]
    marks = iter(range(len(literals)))
    return "".join(f"{_OPEN}{next(marks)}{_CLOSE}" if literal else piece for piece, literal in segments), literals


def _put_back(tree: nodes.Template, literals: list[str]) -> None:
    def literal(found: re.Match[str]) -> str:
        return literals[int(found[1])]

    for data in tree.find_all(nodes.TemplateData):
        data.data = _LITERAL.sub(literal, data.data)
    for const in tree.find_all(nodes.Const):
        if isinstance(const.value, str):
            const.value = _LITERAL.sub(literal, const.value)


def _guarded(tree: nodes.Template) -> frozenset[str]:
    """Names that the template itself asks whether they are there."""
    tests = [test.node for test in tree.find_all(nodes.Test) if test.name in ("defined", "undefined")]
    defaults = [found.node for found in tree.find_all(nodes.Filter) if found.name in ("default", "d")]
    return frozenset(node.name for node in [*tests, *defaults] if isinstance(node, nodes.Name))


def _single(tree: nodes.Template, text: str) -> nodes.Expr | None:
    """The expression of a text that is one `{{ … }}` and nothing else."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output) or not text.startswith("{{"):
        return None
    parts = tree.body[0].nodes
    return parts[0] if len(parts) == 1 and not isinstance(parts[0], nodes.TemplateData) else None


def _load(body: list[nodes.Node]) -> JinjaTemplate:
    tree = nodes.Template(body, lineno=1)
    tree.set_environment(_sandbox)
    code = _sandbox.compile(tree)
    return JinjaTemplate.from_code(_sandbox, code, _sandbox.globals)


def _compile_value(expression: nodes.Expr) -> Callable[[Mapping[str, Any]], Any]:
    template = _load([nodes.Assign(nodes.Name(_RESULT, "store"), expression, lineno=1)])

    def render(context: Mapping[str, Any]) -> Any:
        scope = template.new_context(dict(context))
        for _ in template.root_render_func(scope):
            pass
        return _settled(scope.vars[_RESULT])

    return render


def _settled(value: Any) -> Any:
    """Nothing lazy or internal leaves a template: what a filter such as `map` left to be done is done now."""
    if isinstance(value, str | int | Decimal | dict | datetime) or value is None:
        return value
    if isinstance(value, Undefined):
        return str(value)  # raises, and says which name is undefined
    if isinstance(value, list | tuple | range | Iterator):
        items = list(bounded(value) if not isinstance(value, Iterator) else islice(value, MAX_ITEMS))
        return [_settled(item) if isinstance(item, Undefined) else item for item in items]
    raise SecurityError(f"a {type(value).__name__} is no value for a journey")


def _compile_text(tree: nodes.Template) -> Callable[[Mapping[str, Any]], str]:
    template = _load(tree.body)

    def render(context: Mapping[str, Any]) -> str:
        size, pieces = 0, []
        for piece in template.root_render_func(template.new_context(dict(context))):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_OUTPUT:
                raise SecurityError(f"its text is longer than {MAX_OUTPUT} characters")
        return "".join(pieces)

    return render


def _words(error: Exception) -> str:
    if isinstance(error, ZeroDivisionError):
        return "division by zero"
    if isinstance(error, ArithmeticError):
        return "a calculation that has no result"
    return str(error) or type(error).__name__


@lru_cache(maxsize=4096)
def _cached(source: str) -> Template:
    return Template(source)


def compile_template(value: Any) -> Template:
    """A template of text, or of a number or boolean as its text. Raises ValueError."""
    if isinstance(value, Template):
        return value
    if isinstance(value, str):
        return Template(value) if hasattr(value, "segments") else _cached(value)
    if value is None or isinstance(value, dict | list):
        raise ValueError("must be text")
    return Template(to_text(value))


def compile_condition(value: Any) -> Template:
    """A template that is one `{{ … }}`, for `when` and `check`. Raises ValueError."""
    template = compile_template(value.strip() if type(value) is str else value)
    if not template.single:
        raise ValueError(f"{template.source!r} is not a condition: write all of it in one {{{{ … }}}}")
    return template


class Tree:
    """Any value of a file whose texts may be templates: scalars, lists, mappings. `constant` as in Template."""

    __slots__ = ("_build", "constant", "names", "required", "source")

    def __init__(self, source: Any) -> None:
        """Raises ValueError with a text for the user."""
        self.source = source
        templates: list[Template] = []
        build = _builder(source, templates)
        self.constant = build is None
        self._build = build
        self.names = frozenset().union(*(template.names for template in templates))
        self.required = frozenset().union(*(template.required for template in templates))

    def __repr__(self) -> str:
        return f"Tree({self.source!r})"

    def __reduce__(self) -> Any:
        return Tree, (self.source,)

    def render(self, context: Mapping[str, Any]) -> Any:
        """The value, as its own copy only where a template is in it. Raises TemplateFailed."""
        return self.source if self._build is None else self._build(context)


_Build = Callable[[Mapping[str, Any]], Any]


def _builder(source: Any, templates: list[Template]) -> _Build | None:
    """None: the value is what it is."""
    if isinstance(source, str):
        template = compile_template(source)
        templates.append(template)
        return None if template.constant else template.render
    if isinstance(source, dict):
        return _dict_builder(source, templates)
    if isinstance(source, list):
        items = [_builder(item, templates) for item in source]
        if not any(items):
            return None
        pairs = list(zip(source, items, strict=True))
        return lambda context: [item if build is None else build(context) for item, build in pairs]
    return None


def _dict_builder(source: dict[Any, Any], templates: list[Template]) -> _Build | None:
    items = {key: _builder(item, templates) for key, item in source.items()}
    if not any(items.values()):
        return None
    triples = [(key, source[key], build) for key, build in items.items()]
    return lambda context: {key: item if build is None else build(context) for key, item, build in triples}


def compile_tree(value: Any) -> Tree:
    return value if isinstance(value, Tree) else Tree(value)


TemplateField = Annotated[
    Template, BeforeValidator(compile_template), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
ConditionField = Annotated[Template, BeforeValidator(compile_condition), WithJsonSchema({"type": "string"})]
TreeField = Annotated[Tree, BeforeValidator(compile_tree), WithJsonSchema({})]
