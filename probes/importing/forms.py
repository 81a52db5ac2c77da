"""Which form of a page a recorded request has submitted, and what was filled in."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from probes.importing.recording import Exchange, Pairs
from probes.pages.forms import Form, FormNotFound, find_form
from probes.pages.markup import HostilePage
from probes.pages.page import Page, attribute, text_of

_MOST_FORMS = 50


@dataclass
class Filled:
    """`fields`: what was set or added, None for what was taken out; `hidden`: names among them that nobody typed."""

    selector: str
    fields: dict[str, Any] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    button: str | None = None
    label: str = ""  # of the button

    @property
    def surprise(self) -> int:
        return sum(value is None for value in self.fields.values()) + len(self.hidden)


def submitted(page: Page, exchange: Exchange) -> Filled | None:
    """The form that fits best; None where none leads to where the request went."""
    sent = exchange.form if exchange.form is not None else exchange.query if exchange.method == "GET" else None
    if sent is None or (exchange.method == "GET" and not sent):
        return None
    try:
        found = list(_candidates(page, exchange, sent))
    except HostilePage:
        return None
    return min(found, key=lambda filled: (filled.surprise, len(filled.fields)), default=None)


def _candidates(page: Page, exchange: Exchange, sent: Pairs) -> Iterator[Filled]:
    for node in page.document.css("form")[:_MOST_FORMS]:
        selector = _selector(page, node)
        if selector is None:
            continue
        form = find_form(page, selector)
        for button, label in _buttons(form, sent):
            filled = _filled(form, selector, exchange, sent, button)
            if filled is not None:
                filled.label = label
                yield filled


def _filled(form: Form, selector: str, exchange: Exchange, sent: Pairs, button: str | None) -> Filled | None:
    try:
        plain = form.submit({}, button)
    except FormNotFound:
        return None
    if plain.method != exchange.method or not _same_place(plain.url, exchange.url):
        return None
    preset, given = _grouped(plain.fields), _grouped(sent)
    known = {attribute(node, "name") for node in form.controls}
    if exchange.method == "GET" and not given.keys() <= known | preset.keys():
        return None
    filled = Filled(selector, button=button)
    for name, values in given.items():
        if preset.get(name) != values:
            filled.fields[name] = values[0] if len(values) == 1 else values
            if _is_hidden(form, name):
                filled.hidden.add(name)
    if exchange.form:  # a recording without the body says nothing of what is missing
        filled.fields.update({name: None for name in preset if name not in given})
    return filled


def _same_place(one: str, other: str) -> bool:
    first, second = urlsplit(one), urlsplit(other)
    return (first.netloc, first.path or "/") == (second.netloc, second.path or "/")


def _grouped(pairs: Pairs) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def _is_hidden(form: Form, name: str) -> bool:
    nodes = [node for node in form.controls if attribute(node, "name") == name]
    return not nodes or all((attribute(node, "type") or "").lower() == "hidden" for node in nodes)


def _buttons(form: Form, sent: Pairs) -> Iterator[tuple[str | None, str]]:
    """The form's first, and those that can be told apart by what they send."""
    buttons = [node for node in form.controls if _presses(node)]
    yield None, _label(buttons[0]) if buttons else ""
    for node in buttons[1:]:
        name, value = attribute(node, "name") or "", attribute(node, "value") or ""
        if (name, value) in sent:
            same = [other for other in buttons if attribute(other, "name") == name]
            yield (name if len(same) == 1 else value), _label(node)


def _presses(node: Any) -> bool:
    kind = (attribute(node, "type") or ("submit" if node.tag == "button" else "text")).lower()
    return node.tag in ("button", "input") and kind in ("submit", "image")


def _label(node: Any) -> str:
    text = text_of(node) if node.tag == "button" else attribute(node, "value") or ""
    return text if len(text) <= 40 else ""


def _selector(page: Page, node: Any) -> str | None:
    """One that finds this form first: by its id, its address, its name, a field of its own."""
    for selector in _selectors(node):
        found = page.select(selector)
        if (found and found[0].mem_id == node.mem_id) or (found and _around(found[0]) == node.mem_id):
            return selector
    return None


def _selectors(node: Any) -> Iterator[str]:
    for name in ("id", "name", "action"):
        value = attribute(node, name)
        if value and '"' not in value and "\\" not in value:
            plain = name == "id" and value.replace("-", "").replace("_", "").isalnum() and value[0].isalpha()
            yield f"#{value}" if plain else f'form[{name}="{value}"]'
    for inner in node.css("[name]")[:20]:
        value = attribute(inner, "name") or ""
        if value and '"' not in value and "\\" not in value:
            yield f'{inner.tag}[name="{value}"]'
    yield "form"


def _around(node: Any) -> Any:
    while node is not None and node.tag != "form":
        node = node.parent
    return None if node is None else node.mem_id
