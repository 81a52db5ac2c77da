"""The filters of templates: Jinja2's own where they are harmless, ours where they must keep decimals or a bound."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import Undefined

from probes.duration import parse_duration
from probes.language.bounds import check_replace
from probes.language.values import MISSING, dump_json, read_number, to_instant, to_number, to_text

_HARMLESS = [
    "capitalize",
    "d",
    "default",
    "dictsort",
    "first",
    "groupby",
    "items",
    "last",
    "length",
    "count",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "reverse",
    "select",
    "selectattr",
    "sort",
    "string",
    "sum",
    "title",
    "trim",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
]

_SPEC = re.compile(r"%(?:%|(?P<flags>[-+ #0]*)(?P<width>\d*)(?:\.(?P<digits>\d+))?(?P<type>[sdifFeEgGxXo]))")
_ROUNDING = {"common": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}
_MAX_WIDTH = 100


def number(value: Any, decimal: str | None = None) -> Decimal:
    """`"£1,234.50" | number`. `decimal` is "," or "." where the text leaves it open."""
    if decimal not in (None, ",", "."):
        raise ValueError('decimal is "," or "."')
    plain = to_number(value) if decimal is None else None
    if plain is None and isinstance(value, str):
        return read_number(value, decimal)
    if plain is None:
        raise ValueError(f"{to_text(value)[:80] or 'null'} is no number")
    return plain


def _needs_number(value: Any) -> Decimal:
    found = to_number(value)
    if found is None:
        raise ValueError(f"{to_text(value)[:80] or 'null'} is no number")
    return found


def to_int(value: Any, default: Any = MISSING) -> Any:
    """The whole part. Raises where the value is no number and there is no default."""
    found = to_number(value)
    return int(found) if found is not None else default if default is not MISSING else int(_needs_number(value))


def to_decimal(value: Any, default: Any = MISSING) -> Any:
    found = to_number(value)
    return found if found is not None else default if default is not MISSING else _needs_number(value)


def round_decimal(value: Any, precision: int = 0, method: str = "common") -> Decimal:
    """Half away from zero, as prices are rounded; method: common, ceil or floor."""
    if method not in _ROUNDING:
        raise ValueError(f"round knows {', '.join(_ROUNDING)}")
    if abs(int(precision)) > 20:
        raise SecurityError("round has at most 20 digits")
    exponent = Decimal(1).scaleb(-int(precision))
    return _needs_number(value).quantize(exponent, rounding=_ROUNDING[method])


def absolute(value: Any) -> Any:
    return abs(value) if isinstance(value, int | Decimal) else abs(_needs_number(value))


def format_text(pattern: Any, *args: Any) -> str:
    """`"%05d" | format(n)`, `"%.2f" | format(total)`: decimals stay exact; widths and digits up to 100."""
    values = list(args)

    def fill(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        if not values:
            raise ValueError("format has more places than values")
        return _filled(found, values.pop(0))

    text = str(pattern)
    if "%" in _SPEC.sub("", text):
        raise ValueError(f"format cannot read {text[:80]!r}: use %s, %d or %.2f")
    filled = _SPEC.sub(fill, text)
    if values:
        raise ValueError("format has more values than places")
    return filled


def _filled(spec: re.Match[str], value: Any) -> str:
    width, digits, kind = int(spec["width"] or 0), spec["digits"], spec["type"]
    if max(width, int(digits or 0)) > _MAX_WIDTH:
        raise SecurityError(f"format has widths up to {_MAX_WIDTH}")
    pattern = f"%{spec['flags']}{spec['width']}"
    if kind == "s":
        text = to_text(value)
        return (pattern + "s") % (text if digits is None else text[: int(digits)])
    if kind in "dixXo":
        return (pattern + kind) % int(_needs_number(value))
    flags = spec["flags"]
    fill, sign = ("0" if "0" in flags else ""), ("+" if "+" in flags else " " if " " in flags else "")
    text = format(_needs_number(value), f"{sign}.{digits or 6}{kind}")
    if "-" in flags:
        return text.ljust(width)
    return text.zfill(width) if fill else text.rjust(width)


def join(items: Any, separator: str = "", attribute: Any = None) -> str:
    """The texts of the items, with the separator between them."""
    texts = [to_text(_attribute(item, attribute)) for item in items]
    if sum(map(len, texts)) + len(separator) * len(texts) > (1 << 20):
        raise SecurityError("join makes a text longer than 1 MiB")
    return separator.join(texts)


def _attribute(item: Any, attribute: Any) -> Any:
    if attribute is None:
        return item
    if not isinstance(item, Mapping) or attribute not in item:
        raise ValueError(f"an item has no {attribute}")
    return item[attribute]


def replace(text: Any, old: str, new: str, count: int = -1) -> str:
    check_replace(to_text(text), old, new, count)
    return to_text(text).replace(old, new, int(count))


def truncate(text: Any, length: int = 255, end: str = "...") -> str:
    """The text, cut to `length` characters, `end` included."""
    whole, size = to_text(text), max(0, int(length))
    return whole if len(whole) <= size else whole[: max(0, size - len(end))] + end


def tojson(value: Any) -> str:
    if isinstance(value, Undefined):
        str(value)
    return dump_json(value)


def before(value: Any, duration: str) -> datetime:
    """`now | before("30m")`: the instant so long before that one."""
    instant = value if isinstance(value, datetime) else to_instant(value)
    if instant is None:
        raise ValueError(f"{to_text(value)[:80] or 'null'} is no instant")
    try:
        return instant - timedelta(seconds=parse_duration(duration))
    except OverflowError:
        raise ValueError(f"{duration} before {instant} there was nothing") from None


_OURS: dict[str, Callable[..., Any]] = {
    "abs": absolute,
    "before": before,
    "float": to_decimal,
    "format": format_text,
    "int": to_int,
    "join": join,
    "number": number,
    "replace": replace,
    "round": round_decimal,
    "tojson": tojson,
    "truncate": truncate,
}

ALL: dict[str, Callable[..., Any]] = {**{name: FILTERS[name] for name in _HARMLESS}, **_OURS}
