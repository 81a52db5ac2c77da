"""The sandbox in which templates run: Jinja2 with decimals, with an allow-list of all that can be reached, and bounded.

Jinja2's own sandbox keeps a template away from Python's internals. What it lets through, and this module does not:
work without end (nested loops, `10 ** 10 ** 10`), texts without end (`"x" * 10 ** 9`, widths in formats and filters),
macros (recursion), and any attribute or method that is not on the lists below.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from jinja2 import StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.lexer import TOKEN_FLOAT, Token, TokenStream
from jinja2.runtime import LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from probes.language.bounds import MAX_BITS, MAX_ITEMS, bounded, check_replace, check_time, each
from probes.language.values import to_text

_Function = TypeVar("_Function", bound=Callable[..., Any])

MAX_NODES = 2000  # of the syntax tree of one template

_STR_METHODS = frozenset((
    "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isdigit", "islower",
    "isspace", "isupper", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind",
    "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title",
    "upper",
))  # fmt: skip
_DICT_METHODS = frozenset({"get", "items", "keys", "values"})
_LIST_METHODS = frozenset({"count", "index"})
_INSTANT_ATTRIBUTES = frozenset((
    "year", "month", "day", "hour", "minute", "second", "microsecond", "isoformat", "strftime", "timestamp",
    "weekday", "isoweekday",
))  # fmt: skip
_ALLOWED: tuple[tuple[type, frozenset[str]], ...] = (
    (str, _STR_METHODS),
    (dict, _DICT_METHODS),
    (list, _LIST_METHODS),
    (tuple, _LIST_METHODS),
    (datetime, _INSTANT_ATTRIBUTES),
)
_FORBIDDEN_NODES = (
    nodes.Macro, nodes.CallBlock, nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block,
    nodes.ScopedEvalContextModifier, nodes.EvalContextModifier,
)  # fmt: skip


def _range(*args: Any) -> Any:
    return bounded(range(*(_whole(arg) for arg in args)))


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal)


def _times(left: Any, right: Any) -> Any:
    if _is_number(left) and _is_number(right):
        return left * right
    sequence, factor = (right, left) if _is_number(left) else (left, right)
    if isinstance(sequence, str | list | tuple) and len(sequence) * max(0, int(factor)) > MAX_ITEMS:
        raise SecurityError(f"it repeats something to more than {MAX_ITEMS} items")
    return sequence * int(factor)


def _power(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int) and right >= 0:
        if left.bit_length() * right > MAX_BITS:
            raise SecurityError("a number on the way is too large")
        return left**right
    return Decimal(left) ** Decimal(right)


def _divide(left: Any, right: Any) -> Any:
    return Decimal(left) / Decimal(right)


def _remainder(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        raise TypeError("% is for numbers; texts are put together with ~ or the format filter")
    return left % right


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": _times,
    "/": _divide,
    "//": lambda left, right: left // right,
    "%": _remainder,
    "**": _power,
}


class _Generator(CodeGenerator):
    """Writes decimals exactly, and joins texts under a bound."""

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible  # at compile time our own operators would be left out
        return super()._output_child_to_const(node, frame, finalize)

    def visit_Const(self, node: nodes.Const, frame: Frame) -> None:  # noqa: N802
        if isinstance(node.value, Decimal):
            self.write(f"environment.decimal({str(node.value)!r})")
        else:
            super().visit_Const(node, frame)

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802
        self.write("environment.bounded(")
        super().visit_List(node, frame)
        self.write(")")

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802
        if node.ctx == "store":
            super().visit_Tuple(node, frame)
            return
        self.write("environment.bounded(")
        super().visit_Tuple(node, frame)
        self.write(")")

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802
        self.write("environment.bounded(")
        super().visit_Dict(node, frame)
        self.write(")")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        self.write("environment.concat((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class Sandbox(ImmutableSandboxedEnvironment):
    """`parse_checked` is the entrance for templates of files; rendering needs `start_budget` before it."""

    code_generator_class = _Generator
    intercepted_binops = frozenset(_OPERATORS)

    def __init__(self, filters: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(
            undefined=StrictUndefined, finalize=_finalize, keep_trailing_newline=True, autoescape=False, optimized=False
        )
        self.filters = {name: _guard(function) for name, function in filters.items()}
        self.filters["__each"] = each
        self.globals = {"range": _range}
        self.decimal = lru_cache(maxsize=4096)(Decimal)

    def parse_checked(self, source: str) -> nodes.Template:
        """The syntax tree; every loop is counted. Raises SecurityError, TemplateSyntaxError, RecursionError."""
        tree = self.parse(source)
        if sum(1 for _ in tree.find_all(nodes.Node)) > MAX_NODES:
            raise SecurityError("it is too long")
        for node in tree.find_all(_FORBIDDEN_NODES):
            raise TemplateSyntaxError(f"{type(node).__name__.lower()} has no place in a template", node.lineno)
        for loop in tree.find_all(nodes.For):
            if loop.recursive:
                raise TemplateSyntaxError("a recursive loop has no place in a template", loop.lineno)
            loop.iter = nodes.Filter(loop.iter, "__each", [], [], None, None, lineno=loop.lineno)
        return tree

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        raw = self.lexer.tokeniter(self.preprocess(source, name, filename), name, filename, state)
        return TokenStream(self._exact(raw, name, filename), name, filename)

    def _exact(self, raw: Iterable[tuple[int, str, str]], name: str | None, filename: str | None) -> Iterator[Token]:
        """Jinja2's tokens, with decimals where it would have floats."""
        for line, kind, text in raw:
            if kind == TOKEN_FLOAT:
                yield Token(line, TOKEN_FLOAT, Decimal(text.replace("_", "")))  # type: ignore[arg-type]
            else:
                yield from self.lexer.wrap([(line, kind, text)], name, filename)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        check_time()
        for side in (left, right):
            if isinstance(side, Undefined):
                str(side)  # raises, and says which name is undefined
        return bounded(_OPERATORS[operator](left, right))

    def bounded(self, value: Any) -> Any:
        check_time()
        return bounded(value)

    def concat(self, parts: Iterable[Any]) -> str:
        return str(bounded("".join(map(_finalize_text, parts))))

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict) and attribute in obj:  # a JSON object may well have `items` or `count`
            return obj[attribute]
        if isinstance(obj, Undefined | LoopContext):
            return super().getattr(obj, attribute)
        for kind, names in _ALLOWED:
            if isinstance(obj, kind) and attribute in names:
                return getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(argument, str) and not isinstance(obj, dict):
            return self.getattr(obj, argument)
        try:
            return obj[_whole(argument)]
        except (LookupError, TypeError, AttributeError):
            return self.undefined(obj=obj, name=argument)

    def call(self, context: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        check_time()
        if isinstance(function, Undefined):
            str(function)
        if not self._callable(function):
            raise SecurityError(f"{type(function).__name__} cannot be called")
        kwargs = {name: value for name, value in kwargs.items() if name not in ("_loop_vars", "_block_vars")}
        if getattr(function, "__name__", "") == "replace":
            check_replace(function.__self__, *args)
        return bounded(function(*args, **kwargs))

    def _callable(self, function: Any) -> bool:
        owner = getattr(function, "__self__", None)
        reached = any(isinstance(owner, kind) for kind, _ in _ALLOWED) or isinstance(owner, LoopContext)
        return reached or function is _range or getattr(function, "for_templates", False)


def for_templates(function: _Function) -> _Function:
    """Marks a function of a context, such as `uuid`, as one that templates may call."""
    function.for_templates = True  # type: ignore[attr-defined]
    return function


def _guard(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter under the bounds: its arguments, its time, its result."""

    def guarded(*args: Any, **kwargs: Any) -> Any:
        check_time()
        for arg in args:
            bounded(arg)
        return bounded(function(*args, **kwargs))

    guarded.__dict__.update(getattr(function, "__dict__", {}))  # Jinja2's own marks: pass_environment, pass_context, …
    return guarded


def _finalize(value: Any) -> Any:
    if isinstance(value, Undefined):
        return str(value)  # raises, and says which name is undefined
    return to_text(value)


def _finalize_text(value: Any) -> str:
    return str(_finalize(value))
