"""JSONPath (RFC 9535), compiled once and bounded: `$..*..*` over a large document would have no end.

The library is python-jsonpath in its strict mode. Here are what it leaves open: a budget of visited nodes, regexes by
RE2, decimals, and a straight walk for the paths that most journeys use (`$.order.lines[0].sku`).
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError, JSONPathMatch
from jsonpath.filter import BaseExpression, FilterQuery, RootFilterQuery
from jsonpath.function_extensions import ExpressionType, FilterFunction
from jsonpath.segments import JSONPathRecursiveDescentSegment
from jsonpath.selectors import Filter, IndexSelector, NameSelector
from pydantic import AfterValidator

from probes.errors import ProbesError
from probes.language.values import MISSING
from probes.regex import BadRegex, compile_regex

MAX_LENGTH = 1000  # characters of a path
MAX_NODES = 100_000  # chosen by one path, on the way or at its end
MAX_SECONDS = 0.5  # of CPU time, of one search
MAX_DEPTH = 200  # of a document under `..`

Find = Callable[[Any], list[Any]]


class PathTooCostly(ProbesError, ValueError):
    """A path that would look at more of a document than is reasonable."""


class _Budget(threading.local):
    """What is left for the search that is going on in this thread."""

    nodes = MAX_NODES
    until = 0.0

    def start(self) -> None:
        self.nodes, self.until = MAX_NODES, time.thread_time() + MAX_SECONDS

    def spend(self) -> None:
        self.nodes -= 1
        if self.nodes < 0:
            raise PathTooCostly(f"the path looks at more than {MAX_NODES} nodes of the document")
        self.check_time()

    def check_time(self) -> None:
        if time.thread_time() > self.until:
            raise PathTooCostly(f"the path takes longer than {MAX_SECONDS} s on this document")


_budget = _Budget()


class _Match(JSONPathMatch):
    """A node, counted, without the text of its own path, which nobody reads and which grows with the depth."""

    __slots__ = ()

    def new_child(self, obj: object, key: int | str) -> "_Match":
        _budget.spend()
        return _Match(filter_context={}, obj=obj, parent=None, path="", parts=(key,), root=self.root)

    def add_child(self, *children: JSONPathMatch) -> None:
        """Nobody asks for them."""


class _Regex(FilterFunction):
    """`match` (all of the text) and `search` (anywhere), by RE2."""

    arg_types = (ExpressionType.VALUE, ExpressionType.VALUE)  # type: ignore[assignment]
    return_type = ExpressionType.LOGICAL

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole

    def __call__(self, value: object, pattern: object) -> bool:
        """False for a pattern that is none, as the RFC wants it."""
        if not isinstance(value, str) or not isinstance(pattern, str):
            return False
        try:
            regex = compile_regex(pattern)
        except BadRegex:
            return False
        return (regex.fullmatch(value) if self._whole else regex.search(value)) is not None


class _Environment(JSONPathEnvironment):
    max_recursion_depth = MAX_DEPTH

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        self.function_extensions["match"] = _Regex(whole=True)
        self.function_extensions["search"] = _Regex(whole=False)

    def is_truthy(self, obj: object) -> bool:
        _budget.check_time()
        return bool(super().is_truthy(obj))

    def compare(self, left: object, operator: str, right: object) -> bool:
        _budget.check_time()
        return super().compare(_exact(left), operator, _exact(right))


def _exact(value: object) -> object:
    return Decimal(repr(value)) if isinstance(value, float) else value


_environment = _Environment(strict=True)


def check_path(path: str) -> str:
    """The path itself. Raises ValueError with a text for the user."""
    _compiled(path)
    return path


PathText = Annotated[str, AfterValidator(check_path)]


def find(path: str, document: Any) -> list[Any]:
    """The values at the path, in the order of the RFC. Raises ValueError (PathTooCostly among them)."""
    return _compiled(path)(document)


@lru_cache(maxsize=4096)
def _compiled(path: str) -> Find:
    if len(path) > MAX_LENGTH:
        raise ValueError(f"a JSONPath has at most {MAX_LENGTH} characters")
    if not path.startswith("$"):
        raise ValueError(f"{path!r} is not a JSONPath (RFC 9535): it starts with $, the whole document")
    try:
        compiled = _environment.compile(path)
    except (JSONPathError, RecursionError, ValueError) as error:
        words = str(error).splitlines()[0] if str(error) else "nested too deeply"
        raise ValueError(f"{path!r} is not a JSONPath (RFC 9535): {words}") from None
    if not isinstance(compiled, JSONPath):
        raise ValueError(f"{path!r} is not a JSONPath (RFC 9535): it is more than one path")
    for query in _queries(compiled):
        _check_query(path, query)
    steps = _straight(compiled)
    return _walker(steps) if steps is not None else _searcher(compiled)


def _straight(path: JSONPath) -> list[str | int] | None:
    """The names and indices of a path that leads to one node at most."""
    if not path.singular_query():
        return None
    steps: list[str | int] = []
    for segment in path.segments:
        selector = segment.selectors[0]
        if isinstance(selector, NameSelector):
            steps.append(selector.name)
        elif isinstance(selector, IndexSelector):
            steps.append(selector.index)
    return steps


def _walker(steps: list[str | int]) -> Find:
    def walk(document: Any) -> list[Any]:
        for step in steps:
            if isinstance(step, str):
                document = document.get(step, MISSING) if isinstance(document, dict) else MISSING
            else:
                fits = isinstance(document, list) and -len(document) <= step < len(document)
                document = document[step] if fits else MISSING
            if document is MISSING:
                return []
        return [document]

    return walk


def _searcher(path: JSONPath) -> Find:
    def search(document: Any) -> list[Any]:
        root = _Match(filter_context={}, obj=document, parent=None, path="$", parts=(), root=document)
        _budget.start()
        matches: Iterable[JSONPathMatch] = [root]
        for segment in path.segments:
            matches = segment.resolve(matches)
        try:
            return [match.obj for match in matches]
        except RecursionError:
            raise PathTooCostly(f"the document is nested more than {MAX_DEPTH} deep") from None
        except JSONPathError as error:
            raise ValueError(str(error).splitlines()[0]) from None

    return search


def _queries(path: JSONPath) -> Iterator[FilterQuery]:
    """The queries inside the filters of a path."""
    for segment in path.segments:
        for selector in segment.selectors:
            if isinstance(selector, Filter):
                yield from _inside(selector.expression)


def _inside(expression: BaseExpression) -> Iterator[FilterQuery]:
    if isinstance(expression, FilterQuery):
        yield expression
        yield from _queries(expression.path)
    for child in expression.children():
        yield from _inside(child)


def _check_query(path: str, query: FilterQuery) -> None:
    """A filter is asked once for each node: what it looks at must be small."""
    deep = any(isinstance(segment, JSONPathRecursiveDescentSegment) for segment in query.path.segments)
    if deep or (isinstance(query, RootFilterQuery) and not query.path.singular_query()):
        raise ValueError(f"{path!r}: a filter that searches the whole document for each node could take minutes")
