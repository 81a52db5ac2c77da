"""A form of a page, filled in and sent as a browser would (source: the HTML standard, "Form submission")."""

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from probes.charsets import codec
from probes.errors import ProbesError
from probes.language.values import to_text
from probes.pages.markup import HostilePage
from probes.pages.page import Node, Page, attribute, text_of

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
PLAIN = "text/plain"

MAX_CONTROLS = 10_000  # of a page; servers take no more than a thousand of one form
_CONTROLS = "form, input, button, select, textarea"
_TABLE_PARTS = ("table", "tbody", "thead", "tfoot", "tr")
_NEVER_SENT = ("button", "reset", "submit", "image")
_LINE_END = re.compile(r"\r\n|\r|\n")


class FormNotFound(ProbesError):
    """The form, or the button of it, that a step names is not on the page; the text says what is there."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a browser would send. `url` is absolute; for GET the fields are in it already and `body` is None."""

    method: str
    url: str
    fields: list[tuple[str, str]]
    content_type: str | None
    body: bytes | None


@dataclass(frozen=True, slots=True)
class _Button:
    node: Node
    name: str
    image: bool


class Form:
    """One form of a page and the controls that belong to it, inside it or by their `form` attribute."""

    def __init__(self, page: Page, node: Node, controls: list[Node]) -> None:
        self.page = page
        self.node = node
        self.controls = controls
        self._is_disabled = _Disabled()

    def submit(self, fields: Mapping[str, Any], button: str | None = None) -> Submission:
        """Presses the button (its name, id, value or text; None: the first that can be pressed).

        `fields` go on top of what the form holds: a value replaces the control's, a list several, None removes it;
        true and false set a checkbox. Raises FormNotFound.
        """
        pressed = self._button(button)
        method = self._attribute(pressed, "method", "formmethod").lower()
        if method == "dialog":
            raise FormNotFound("the form only closes a dialog (method=dialog); a browser sends nothing: name another")
        pairs = self._filled(self._pairs(pressed), fields)
        encoding = self._attribute(pressed, "enctype", "formenctype").lower()
        url = self._action(pressed)
        charset = self._charset()
        if method != "post":
            parts = urlsplit(url)._replace(query=_urlencoded(pairs, charset), fragment="")
            return Submission("GET", urlunsplit(parts), pairs, None, None)
        if encoding == MULTIPART:
            boundary = f"----shopwatch{secrets.token_hex(12)}"
            body = _multipart(pairs, boundary, charset, self._file_names())
            return Submission("POST", url, pairs, f"{MULTIPART}; boundary={boundary}", body)
        if encoding == PLAIN:
            body = "".join(f"{name}={value}\r\n" for name, value in pairs).encode(charset, "replace")
            return Submission("POST", url, pairs, PLAIN, body)
        return Submission("POST", url, pairs, URLENCODED, _urlencoded(pairs, charset).encode())

    def _attribute(self, pressed: _Button | None, name: str, override: str) -> str:
        of_button = attribute(pressed.node, override) if pressed else None
        return (of_button if of_button is not None else attribute(self.node, name) or "").strip()

    def _charset(self) -> str:
        name = next(iter((attribute(self.node, "accept-charset") or self.page.encoding).split()), "utf-8")
        return name if codec(name) else "utf-8"

    def _action(self, pressed: _Button | None) -> str:
        """The absolute address; none means the page itself. Raises FormNotFound for one that is not the web's."""
        action = self._attribute(pressed, "action", "formaction")
        try:
            url = urljoin(self.page.base, action) if action else self.page.url
            parts = urlsplit(url)
        except ValueError:
            raise FormNotFound(f"the form leads to {action[:200]!r}, which is no address") from None
        if parts.scheme not in ("http", "https"):
            raise FormNotFound(f"the form leads to {action[:200]!r}, which is no address of the web")
        return urlunsplit(parts._replace(fragment=""))

    # Controls

    def _pairs(self, pressed: _Button | None) -> list[tuple[str, str]]:
        """What the form sends as it stands, in the order of the page."""
        pairs: list[tuple[str, str]] = []
        for node in self.controls:
            if pressed is not None and node.mem_id == pressed.node.mem_id:
                pairs.extend(_pressed_pairs(pressed))
            elif not self._is_disabled(node):
                pairs.extend(self._control_pairs(node))
        return pairs

    def _control_pairs(self, node: Node) -> Iterator[tuple[str, str]]:
        name = attribute(node, "name") or ""
        if not name or node.tag == "button":
            return
        if node.tag == "select":
            yield from ((name, value) for value in _selected(node))
        elif node.tag == "textarea":
            yield name, node.text()
        else:
            kind = _type(node)
            if kind in ("checkbox", "radio"):
                if attribute(node, "checked") is not None:
                    yield name, _checkbox_value(node)
            elif kind == "file":
                yield name, ""
            elif kind == "hidden" and name.lower() == "_charset_":
                yield name, self._charset()
            elif kind not in _NEVER_SENT:
                yield name, attribute(node, "value") or ""

    def _filled(self, pairs: list[tuple[str, str]], fields: Mapping[str, Any]) -> list[tuple[str, str]]:
        values = {name: self._values(name, value) for name, value in fields.items()}
        filled: list[tuple[str, str]] = []
        placed: set[str] = set()
        for name, value in pairs:
            if name not in values:
                filled.append((name, value))
            elif name not in placed:
                placed.add(name)
                filled.extend((name, new) for new in values[name])
        for name, new_values in values.items():
            if name not in placed:
                filled.extend((name, new) for new in new_values)
        return [(_crlf(name), _crlf(value)) for name, value in filled]

    def _values(self, name: str, value: Any) -> list[str]:
        if value is None:
            return []
        if isinstance(value, bool):
            box = next((n for n in self.controls if attribute(n, "name") == name and _type(n) == "checkbox"), None)
            if box is not None:
                return [_checkbox_value(box)] if value else []
        return [to_text(item) for item in (value if isinstance(value, list) else [value]) if item is not None]

    def _file_names(self) -> frozenset[str]:
        return frozenset(attribute(node, "name") or "" for node in self.controls if _type(node) == "file")

    # Buttons

    def _button(self, wanted: str | None) -> _Button | None:
        buttons = [node for node in self.controls if _is_submit(node)]
        if wanted is None:
            return next((_as_button(node) for node in buttons if not self._is_disabled(node)), None)
        for names in (_name, _id, _value, text_of):
            found = [node for node in buttons if names(node) == wanted]
            for node in found:
                if not self._is_disabled(node):
                    return _as_button(node)
            if found:
                raise FormNotFound(f"the button {wanted!r} of the form is disabled")
        there = ", ".join(repr(_name(node) or _value(node) or text_of(node)) for node in buttons[:10])
        raise FormNotFound(f"the form has no submit button {wanted!r}; it has {there or 'none'}")


def find_form(page: Page, selector: str) -> Form:
    """The form that the selector finds, or the one that the element it finds belongs to.

    Raises FormNotFound, HostilePage.
    """
    nodes = page.select(selector)
    owned = _owners(page)
    for node in nodes:
        if node.tag == "form":
            return Form(page, node, owned.get(node.mem_id, (node, []))[1])
    for node in nodes:
        for form, controls in owned.values():
            if any(control.mem_id == node.mem_id for control in controls):
                return Form(page, form, controls)
        if (around := _form_around(node, {})) is not None:
            return Form(page, around, owned[around.mem_id][1])
    there = ", ".join(_described(form) for form, _ in list(owned.values())[:10])
    found = f"{selector} is a <{nodes[0].tag}> outside any form" if nodes else f"nothing matches {selector}"
    raise FormNotFound(f"{found}; the page's forms: {there or 'none'}")


def _owners(page: Page) -> dict[int, tuple[Node, list[Node]]]:
    """Each form by its identity, with its controls in the order of the page.

    A form that starts between the rows of a table is closed at once by the parser; as in browsers, the controls that
    follow it are still its own.
    """
    nodes = page.document.css(_CONTROLS)
    if len(nodes) > MAX_CONTROLS:
        raise HostilePage(f"the page has more than {MAX_CONTROLS} fields")
    owned: dict[int, tuple[Node, list[Node]]] = {node.mem_id: (node, []) for node in nodes if node.tag == "form"}
    by_id: dict[str, Node] = {}
    for form, _ in owned.values():
        by_id.setdefault(attribute(form, "id") or "", form)
    pointer: Node = None
    around: dict[int, Node] = {}
    for node in nodes:
        if node.tag == "form":
            pointer = node if _is_stray(node) else None
            continue
        named = attribute(node, "form")
        owner = by_id.get(named) if named else _form_around(node, around) or pointer
        if owner is not None:
            owned[owner.mem_id][1].append(node)
    return owned


def _is_stray(form: Node) -> bool:
    return form.first_child is None and form.parent is not None and form.parent.tag in _TABLE_PARTS


def _form_around(node: Node, known: dict[int, Node]) -> Node:
    """`known`: the form around each element that was looked at before, for thousands of controls hundreds deep."""
    passed = [node.mem_id]
    around = node.parent
    while around is not None and around.tag != "form" and around.mem_id not in known:
        passed.append(around.mem_id)
        around = around.parent
    form = around if around is None or around.tag == "form" else known[around.mem_id]
    known.update(dict.fromkeys(passed, form))
    return form


def _described(form: Node) -> str:
    name = attribute(form, "id")
    return f"#{name}" if name else f"form[action={attribute(form, 'action') or ''!r}]"


def _type(node: Node) -> str:
    default = "submit" if node.tag == "button" else "text"
    return (attribute(node, "type") or default).strip().lower() if node.tag in ("input", "button") else node.tag


def _is_submit(node: Node) -> bool:
    if node.tag == "button":
        return _type(node) not in ("button", "reset")
    return node.tag == "input" and _type(node) in ("submit", "image")


class _Disabled:
    """Whether a control is disabled: itself, or by a fieldset around it (unless it stands in that fieldset's first
    legend), or inside a datalist.

    Remembers what it found of the elements around: thousands of controls may stand hundreds deep.
    """

    def __init__(self) -> None:
        self._around: dict[int, bool] = {}
        self._legends: dict[int, int | None] = {}

    def __call__(self, node: Node) -> bool:
        return attribute(node, "disabled") is not None or self._by_others(node)

    def _by_others(self, node: Node) -> bool:
        unknown: list[tuple[Node, Node]] = []
        while (parent := node.parent) is not None and node.mem_id not in self._around:
            unknown.append((node, parent))
            node = parent
        disabled = self._around.get(node.mem_id, False)
        for inner, parent in reversed(unknown):
            disabled = disabled or self._disables(parent, inner)
            self._around[inner.mem_id] = disabled
        return disabled

    def _disables(self, parent: Node, inner: Node) -> bool:
        if parent.tag == "datalist":
            return True
        if parent.tag != "fieldset" or attribute(parent, "disabled") is None:
            return False
        if parent.mem_id not in self._legends:
            legend = next((child for child in _children(parent) if child.tag == "legend"), None)
            self._legends[parent.mem_id] = None if legend is None else legend.mem_id
        return bool(self._legends[parent.mem_id] != inner.mem_id)


def _children(node: Node) -> Iterator[Node]:
    child = node.first_child
    while child is not None:
        yield child
        child = child.next


def _selected(select: Node) -> list[str]:
    options = select.css("option")
    chosen = [option for option in options if attribute(option, "selected") is not None]
    if attribute(select, "multiple") is None:
        open_ones = [option for option in options if not _is_disabled_option(option)]
        first = open_ones[:1] if (attribute(select, "size") or "1").strip() in ("", "0", "1") else []
        chosen = chosen[-1:] or first
    return [_option_value(option) for option in chosen if not _is_disabled_option(option)]


def _is_disabled_option(option: Node) -> bool:
    group = option.parent
    in_group = group is not None and group.tag == "optgroup" and attribute(group, "disabled") is not None
    return in_group or attribute(option, "disabled") is not None


def _option_value(option: Node) -> str:
    value = attribute(option, "value")
    return text_of(option) if value is None else value


def _checkbox_value(node: Node) -> str:
    value = attribute(node, "value")
    return "on" if value is None else value


def _as_button(node: Node) -> _Button:
    return _Button(node, attribute(node, "name") or "", _type(node) == "image")


def _pressed_pairs(button: _Button) -> list[tuple[str, str]]:
    if button.image:
        dot = f"{button.name}." if button.name else ""
        return [(f"{dot}x", "0"), (f"{dot}y", "0")]
    return [(button.name, _value(button.node))] if button.name else []


def _name(node: Node) -> str:
    return attribute(node, "name") or ""


def _id(node: Node) -> str:
    return attribute(node, "id") or ""


def _value(node: Node) -> str:
    return attribute(node, "value") or ""


def _crlf(text: str) -> str:
    return _LINE_END.sub("\r\n", text) if "\n" in text or "\r" in text else text


def _urlencoded(pairs: list[tuple[str, str]], charset: str) -> str:
    return urlencode(pairs, encoding=charset, errors="xmlcharrefreplace")


def _multipart(pairs: list[tuple[str, str]], boundary: str, charset: str, files: frozenset[str]) -> bytes:
    parts: list[bytes] = []
    for name, value in pairs:
        quoted = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{quoted}"'
        if name in files and not value:
            head += '; filename=""\r\nContent-Type: application/octet-stream'
        parts.append(f"{head}\r\n\r\n{value}\r\n".encode(charset, "xmlcharrefreplace"))
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])
