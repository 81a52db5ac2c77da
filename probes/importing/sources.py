"""Where a value of a request comes from: which earlier answer handed it out, and how a step would save it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from probes.importing.recording import Answer, Exchange
from probes.language.naming import RESERVED
from probes.pages.markup import HostilePage
from probes.pages.page import Page

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPEAKING = re.compile(
    r"(id|token|number|no|code|key|uuid|ref|reference|nonce|hash|csrf|xsrf|session|cart|order|basket)$", re.I
)
_TOKEN = re.compile(r"csrf|xsrf|token|nonce", re.I)
_MOST_LEAVES = 20_000
_DULL_HEADERS = frozenset(
    {"date", "age", "etag", "last-modified", "expires", "server", "content-type", "content-length"}
)


@dataclass(frozen=True)
class Source:
    """`save`: the source as a journey says it. `name`: what the answer calls the value."""

    value: str
    name: str
    save: dict[str, Any]


@dataclass(frozen=True)
class Use:
    """A value in a request. `name`: of the field or header; for a part of the path, the part before it."""

    value: str
    name: str
    in_path: bool = False


def handed_out(exchange: Exchange) -> Iterator[Source]:
    """Every value of an answer that a later request could be made of."""
    answer = exchange.answer
    if answer is None:
        return
    if answer.is_html and answer.text:
        yield from _in_page(answer)
    elif (document := answer.json) is not None:
        yield from _in_json(document)
    for name, value in answer.headers:
        if name.lower() not in _DULL_HEADERS and name.lower() not in ("set-cookie", "location") and len(value) < 4096:
            yield Source(value, name, {"header": name})
    for name, value in exchange.cookies:
        yield Source(value, name, {"cookie": name})


def _in_page(answer: Answer) -> Iterator[Source]:
    try:
        page = Page(answer.text)
        nodes = page.document.css("input[name][value], meta[name][content], meta[property][content]")
    except HostilePage:
        return
    seen = set()
    for node in nodes:
        kind = node.tag
        key = "name" if node.attributes.get("name") else "property"
        name = node.attributes.get(key) or ""
        attr = "value" if kind == "input" else "content"
        if (kind, name) in seen or '"' in name or "\\" in name:  # the first one is meant
            continue
        seen.add((kind, name))
        yield Source(node.attributes.get(attr) or "", name, {"html": f'{kind}[{key}="{name}"]', "attr": attr})


def _in_json(document: Any) -> Iterator[Source]:
    waiting: list[tuple[str, str, Any]] = [("$", "", document)]
    for _ in range(_MOST_LEAVES):
        if not waiting:
            return
        path, name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(path + _step(key), str(key), inner) for key, inner in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(f"{path}[{at}]", name, inner) for at, inner in reversed(list(enumerate(value)))]
        elif isinstance(value, str | int) and not isinstance(value, bool):
            yield Source(str(value), _full_name(path, name), {"json": path})


def _step(key: str) -> str:
    if _WORD.fullmatch(key):
        return f".{key}"
    quoted = key.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{quoted}']"


def _full_name(path: str, name: str) -> str:
    """`order_id` for `$.order.id`."""
    parts = [part for part in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", path) if part]
    return "_".join(parts[-2:]) if name.lower() in ("id", "number", "token", "code", "key") and len(parts) > 1 else name


def worth_saving(use: Use, source: Source) -> bool:
    """Whether it is likely that this answer is where the value came from, and not the same word by chance."""
    value = use.value
    if value != source.value or not value.strip() or len(value) > 4096:
        return False
    if looks_made(value) or (len(value) >= 8 and use.name.lower() == source.name.lower() and not value.isalpha()):
        return True
    if use.in_path or _TOKEN.search(use.name):
        return len(value) >= 2 and bool(_SPEAKING.search(source.name))
    return (
        len(value) >= 2 and bool(_SPEAKING.search(use.name) and _SPEAKING.search(source.name)) and not value.isalpha()
    )


def looks_made(value: str) -> bool:
    """By a machine, that is: long, or with digits in the middle of letters."""
    if len(value) >= 20 and " " not in value:
        return True
    if " " in value or "@" in value or len(value) < 8:
        return False
    plain = re.sub("[^A-Za-z0-9]", "", value)
    switches = len(re.findall(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", plain))
    return value.isdecimal() or switches >= 2 or ("=" in value and switches >= 1)


def save_name(source: Source, taken: set[str]) -> str:
    """A name for templates: `csrf`, `order_id`, `cart`."""
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", source.name)
    name = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()
    if re.search("csrf|xsrf|verificationtoken", name.replace("_", "")):
        name = "csrf"
    if not name or not name[0].isalpha() or name in RESERVED:
        name = f"saved_{name}".rstrip("_")
    chosen, number = name[:40], 2
    while chosen in taken:
        chosen, number = f"{name[:40]}_{number}", number + 1
    return chosen
