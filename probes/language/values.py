"""Values as journeys see them: text stays text, numbers are decimals, an instant is ISO 8601 or Unix time."""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

MAX_EXPONENT = 400  # numbers beyond 10**±400 measure nothing in a shop, and their digits would fill the memory
MAX_DEPTH = 500  # of a JSON document; deeper ones are made to break what reads them
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.A)
_WRITTEN = re.compile(r"(?<![\d.,])(\d(?:[\d.,' ]*\d)?)", re.A)
_in_json = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps makes a new encoder each time
_MILLISECONDS_FROM = 100_000_000_000  # as seconds this is the year 5138; Unix time in ms passed it in 1973


class Missing:
    """The type of MISSING: what was looked for is not there. JSON null is there, and is None."""

    def __repr__(self) -> str:
        return "nothing"

    def __reduce__(self) -> str:
        return "MISSING"  # there is one of it in each process

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()


def to_number(value: Any) -> Decimal | None:
    """A number, or text that is wholly a number (spaces around it apart), as a decimal; None for anything else.

    Booleans are no numbers. Numbers beyond 10**±400 are none either.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip() if len(value) <= 1000 else ""
        if not _NUMBER.fullmatch(value):
            return None
    elif isinstance(value, float):
        value = repr(value)
    elif not isinstance(value, int | Decimal):
        return None
    try:
        number = Decimal(value)
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= MAX_EXPONENT else None


def read_number(text: str, decimal: str | None = None) -> Decimal:
    """The one number in a text as shops write it: `£1,234.50`, `1.234,50 €`, `-3`, `20 %`, `￥１２`.

    Of a comma and a point the later one is the decimal separator. A lone comma is one unless exactly three digits
    follow it (`1,234`); a lone point always is. `decimal` says which one it is where the text leaves it open.
    Raises ValueError.
    """
    plain = unicodedata.normalize("NFKC", text[:1000]).replace("\u2212", "-").replace("\u2019", "'")
    found = list(_WRITTEN.finditer(plain))
    if len(found) != 1 or len(text) > 1000:
        many = "more than one number" if len(found) > 1 else "no number"
        raise ValueError(f"{describe(text, 80)} holds {many}")
    digits = re.sub("[ ']", "", found[0][1])
    separator = decimal or _decimal_separator(digits)
    whole, _, fraction = digits.rpartition(separator) if separator and separator in digits else (digits, "", "")
    sign = "-" if re.search(r"-[^\w-]*$", plain[: found[0].start()]) else ""
    return (
        Decimal(f"{sign}{re.sub('[.,]', '', whole) or '0'}.{fraction or '0'}")
        if fraction
        else Decimal(sign + re.sub("[.,]", "", whole))
    )


def _decimal_separator(digits: str) -> str | None:
    comma, point = digits.rfind(","), digits.rfind(".")
    if comma >= 0 and point >= 0:
        return "," if comma > point else "."
    last = "," if comma >= 0 else "."
    if digits.count(last) != 1:
        return None
    after = len(digits) - 1 - max(comma, point)
    return None if last == "," and after == 3 and not digits.startswith("0,") else last


def to_text(value: Any) -> str:
    """What a value is inside a text: decimals without exponent, true and false, null as nothing, the rest as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal | float):
        return decimal_text(Decimal(repr(value)) if isinstance(value, float) else value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, int) else dump_json(value)


def decimal_text(number: Decimal) -> str:
    if number.is_finite() and abs(number.adjusted()) <= MAX_EXPONENT:
        return format(number, "f")
    return str(number)


def parse_json(text: str | bytes) -> Any:
    """JSON with decimals for its fractions. Raises ValueError: not JSON, NaN, nested too deeply, a number too large.

    Half a surrogate pair, which JSON can spell and no text can hold, becomes U+FFFD.
    """
    try:
        value = json.loads(text, parse_float=_fraction, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
    spelled = text if isinstance(text, str) else text.decode("utf-8", "replace")
    whole = [value]
    if spelled.count("[") + spelled.count("{") > MAX_DEPTH:
        _check_depth(whole)
    if "\\ud" in spelled or "\\uD" in spelled:
        _mend(whole)
    return whole[0]


def _check_depth(level: list[Any]) -> None:
    for _ in range(MAX_DEPTH):
        inner = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list))
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
        if not level:
            return
    raise ValueError("JSON that is nested too deeply")


def _mend(whole: list[Any]) -> None:
    """In place: half surrogate pairs in any text of a document, keys among them."""
    waiting: list[Any] = [whole]
    while waiting:
        container = waiting.pop()
        if isinstance(container, dict):
            items = {_HALF_PAIR.sub("\ufffd", key): item for key, item in container.items()}
            container.clear()
            container.update(items)
        for place, item in list(container.items() if isinstance(container, dict) else enumerate(container)):
            if isinstance(item, str):
                container[place] = _HALF_PAIR.sub("\ufffd", item)
            elif isinstance(item, dict | list):
                waiting.append(item)


def _fraction(text: str) -> Decimal:
    number = to_number(text)
    if number is None:
        raise ValueError(f"the number {text[:40]} is out of range")
    return number


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def dump_json(value: Any) -> str:
    """JSON text, decimals as exact numbers. Raises ValueError for what JSON has no word for."""
    return "".join(_pieces(value))


def _pieces(value: Any) -> Iterator[str]:
    """JSON text bit by bit, so that who wants only its beginning need not wait for the end of a large document."""
    opened: list[tuple[Iterator[tuple[str, Any]], str]] = [(iter((("", value),)), "")]
    while opened:
        items, end = opened[-1]
        for before, item in items:
            if isinstance(item, dict):
                yield before + "{"
                opened.append((_members(item), "}"))
                break
            if isinstance(item, list | tuple):
                yield before + "["
                opened.append((_elements(item), "]"))
                break
            yield before + _json_scalar(item)
        else:
            opened.pop()
            yield end


def _members(value: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    comma = ""
    for key, item in value.items():
        yield f"{comma}{_in_json(str(key))}: ", item
        comma = ", "


def _elements(value: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    comma = ""
    for item in value:
        yield comma, item
        comma = ", "


def _json_scalar(value: Any) -> str:
    if isinstance(value, Decimal | float):
        return to_text(value)
    if value is None or isinstance(value, str | int):
        return _in_json(value)
    if isinstance(value, datetime):
        return json.dumps(value.isoformat())
    raise ValueError(f"JSON has no word for a {type(value).__name__}")


def to_instant(value: Any) -> datetime | None:
    """ISO 8601 (without a zone: UTC) or Unix time (seconds; milliseconds from 1e11 on). None for anything else."""
    number = to_number(value)
    try:
        if number is not None:
            seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
            return datetime.fromtimestamp(float(seconds), UTC)
        if not isinstance(value, str) or len(value) > 100:
            return None
        instant = datetime.fromisoformat(value.strip())
        return (instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def describe(value: Any, limit: int = 500) -> str:
    """A value as users read it in `expected` and `seen`: text in quotes, the rest as JSON, cut."""
    if value is MISSING:
        return "nothing"
    if isinstance(value, str):
        text = _in_json(value[: limit + 1])
    else:
        text = "null" if value is None else _beginning(value, limit)
    return text if len(text) <= limit else text[:limit] + " …"


def _beginning(value: Any, limit: int) -> str:
    if not isinstance(value, dict | list | tuple):
        return to_text(value)
    text = ""
    for piece in _pieces(value):
        text += piece
        if len(text) > limit:
            break
    return text
