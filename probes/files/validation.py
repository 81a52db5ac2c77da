"""Pydantic's errors, turned into mistakes that name the line and say what would be right."""

from decimal import Decimal
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from probes.files.mistakes import Loc, Mistake, Wrongs, did_you_mean, dotted, one_of

if TYPE_CHECKING:
    from probes.files.yamlfile import Document

M = TypeVar("M", bound=BaseModel)

_SHOULD = {
    "string_type": "should be text",
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "decimal_type": "should be a number",
    "decimal_parsing": "should be a number",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
    "list_type": "should be a list",
    "tuple_type": "should be a list",
    "set_type": "should be a list",
    "frozen_set_type": "should be a list",
    "dict_type": "should be a mapping of names to values",
    "model_type": "should be a mapping",
    "model_attributes_type": "should be a mapping",
    "date_type": "should be a date such as 2026-01-31",
    "date_parsing": "should be a date such as 2026-01-31",
    "date_from_datetime_parsing": "should be a date such as 2026-01-31",
}
_BOUNDS = {
    "greater_than": ("should be more than {gt}", "gt"),
    "greater_than_equal": ("should be at least {ge}", "ge"),
    "less_than": ("should be less than {lt}", "lt"),
    "less_than_equal": ("should be at most {le}", "le"),
}


def validate(model: type[M], document: "Document", mistakes: list[Mistake]) -> M | None:
    """The document as a model, or None; every error is appended to `mistakes`."""
    if not isinstance(document.data, dict):
        mistakes.append(document.mistake((), f"should be a mapping, not {describe(document.data)}"))
        return None
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        seen: set[tuple[Loc, str]] = set()
        for item in error.errors(include_url=False):
            _report(model, document, item, mistakes, seen)
        return None


def _report(
    model: type[BaseModel], document: "Document", item: Any, mistakes: list[Mistake], seen: set[tuple[Loc, str]]
) -> None:
    kind, error = item["type"], item.get("ctx", {}).get("error")
    if isinstance(error, Wrongs):
        for wrong in error.wrongs:
            _report(model, document, {**item, "ctx": {"error": wrong}}, mistakes, seen)
        return
    loc = _in_file((*item["loc"], *getattr(error, "at", ())), document.data, kind)
    if _said_already(document, loc, kind, mistakes):
        return
    problem, hint = _words(kind, item, model, loc, document.data)
    if (loc, problem) not in seen:
        seen.add((loc, problem))
        mistakes.append(document.mistake(loc[:-1] if kind == "missing" else loc, problem, hint))


def _said_already(document: "Document", loc: Loc, kind: str, mistakes: list[Mistake]) -> bool:
    """Whether this error only follows from another: a variable that is missing, a broken key, items that were wrong."""
    if any(loc[: len(place)] == place for place in document.unresolved):
        return True
    if kind == "too_short" and _at(document.data, loc):
        return True
    here = (document.name, document.line_of(loc), dotted(loc))
    return any((m.file, m.line, m.path) == here and "a key must be text" in m.problem for m in mistakes)


def _words(kind: str, item: Any, model: type[BaseModel], loc: Loc, data: Any) -> tuple[str, str | None]:
    """The problem and the hint."""
    context = item.get("ctx", {})
    value = item.get("input")
    if kind == "missing":
        return f'"{loc[-1]}" is missing', None
    if kind == "extra_forbidden":
        known = keys_at(model, loc[:-1])
        hint = did_you_mean(str(loc[-1]), [key for key in known if key not in (_at(data, loc[:-1]) or {})])
        return f'unknown key "{loc[-1]}"', hint or (f"known here: {one_of(sorted(known))}" if known else None)
    if kind == "literal_error":
        return _literal(model, loc, context, value)
    if kind in _BOUNDS:
        text, name = _BOUNDS[kind]
        limit = context[name]
        shown = f"{limit:g}" if isinstance(limit, float) else str(limit)
        return f"{text.format(**{name: shown})}, not {describe(value)}", None
    if kind in ("too_short", "string_too_short") and context.get("min_length") == 1:
        return "must not be empty", None
    if kind in ("too_long", "string_too_long"):
        return f"is too long: at most {context['max_length']}", None
    if kind in _SHOULD:
        quote = kind == "string_type" and isinstance(value, int | Decimal)
        hint = f'put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"' if quote else None
        return f"{_SHOULD[kind]}, not {describe(value)}", hint
    error = context.get("error")
    return str(error) if error else str(item["msg"]), getattr(error, "hint", None)


def _literal(model: type[BaseModel], loc: Loc, context: Any, value: Any) -> tuple[str, str | None]:
    options = literals_at(model, loc) or [context["expected"]]
    problem = f"should be {one_of(options)}, not {describe(value)}"
    return problem, did_you_mean(value, options) if isinstance(value, str) and len(value) > 4 else None


def describe(value: Any) -> str:
    """A value from the file, short, for the end of a sentence."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value if len(value) <= 60 else value[:59] + "…"}"'
    return str(value)


def _in_file(loc: tuple[Any, ...], data: Any, kind: str) -> Loc:
    """Pydantic's location without the parts that are its own (names of union members, `[key]`, validators)."""
    result: list[str | int] = []
    for index, part in enumerate(loc):
        in_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if in_list or (isinstance(data, dict) and part in data):
            result.append(part)
            data = data[part]
        elif kind == "missing" and index == len(loc) - 1:
            result.append(part)
    return tuple(result)


def _at(data: Any, loc: Loc) -> Any:
    for part in loc:
        data = data[part]
    return data


def keys_at(model: type[BaseModel], loc: Loc) -> set[str]:
    """The keys that the model (or any of several) takes at this place of the file."""
    return {
        field.alias or name for found in _models(_annotation(model, loc)) for name, field in found.model_fields.items()
    } | {str(key) for found in _models(_annotation(model, loc)) for key in getattr(found, "EXTRA_KEYS", ())}


def literals_at(model: type[BaseModel], loc: Loc) -> list[str]:
    return [str(option) for kind in _annotation(model, loc) for option in _literal_options(kind)]


def _literal_options(annotation: Any) -> list[Any]:
    options: list[Any] = []
    for kind in _flatten(annotation):
        if get_origin(kind) is Literal:
            options.extend(get_args(kind))
    return options


def _flatten(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _flatten(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [part for option in get_args(annotation) for part in _flatten(option)]
    return [annotation]


def _models(annotations: list[Any]) -> list[type[BaseModel]]:
    return [kind for kind in annotations if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _annotation(model: type[BaseModel], loc: Loc) -> list[Any]:
    """The annotations, unions opened, of the place in the model that the location leads to."""
    current: list[Any] = [model]
    for part in loc:
        current = [inner for kind in current for inner in _step(kind, part)]
    return current


def _step(kind: Any, part: str | int) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part in (field.alias or name, name):
                return _flatten(field.annotation)
        return []
    origin, args = get_origin(kind), get_args(kind)
    if origin is dict and len(args) == 2:
        return _flatten(args[1])
    if origin in (list, tuple, set, frozenset) and args:
        return _flatten(args[0])
    return []
