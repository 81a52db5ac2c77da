"""Fields of a journey file whose text has a form of its own. Each raises ValueError with a text for the user."""

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from probes.language.naming import RESERVED
from probes.language.templates import Template, compile_template
from probes.regex import compile_regex

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?")
_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[\w.-]+):(?P<port>\d{1,5})")
_OWN_LABELS = frozenset({"alertname", "journey", "service", "severity", "location"})


def _header_name(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a header or cookie")
    return name


def _label_name(name: str) -> str:
    if not _LABEL.fullmatch(name) or name.startswith("__"):
        raise ValueError(f"{name!r} cannot be a label: use letters, digits and _")
    if name in _OWN_LABELS:
        raise ValueError(f"the label {name} is set by Shopwatch itself")
    return name


def _variable_name(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"{name!r} cannot be used in a template: use letters, digits and _, a letter first")
    if name in RESERVED:
        raise ValueError(f"{name!r} has a meaning of its own in templates: choose another name")
    return name


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(f"{text!r} is not a host: write its name alone, such as pay.shop.example")
    return text


def _base(text: str) -> str:
    try:
        parts = urlsplit(text.strip())
        named = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        named = None
    if not named or parts.scheme not in ("http", "https"):
        raise ValueError(f"{text!r} is not the address of a shop: it starts with https:// or http://")
    return text.strip()


def _url(value: Any) -> Template:
    template = compile_template(value)
    if template.constant:
        text = template.source.strip()
        if not text:
            raise ValueError("the address is empty: / is the shop's first page")
        if ":" in re.split(r"[/?#]", text)[0] and not text.lower().startswith(("http://", "https://")):
            raise ValueError(f"{text!r} is not an address: it starts with /, https:// or http://")
    return template


def _address(value: Any) -> Template:
    template = compile_template(value)
    if template.constant:
        split_address(template.source)
    return template


def split_address(text: str) -> tuple[str, int]:
    """`shop.example:443` or `[::1]:443` in its two parts. Raises ValueError."""
    found = _ADDRESS.fullmatch(text.strip())
    if not found or not 0 < int(found["port"]) < 65536:
        raise ValueError(f"{text!r} is not a host with its port, such as shop.example:443")
    return found["host"].strip("[]"), int(found["port"])


def _proxy(text: str) -> str:
    try:
        parts = urlsplit(text.strip())
        good = parts.scheme == "http" and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("not the address of a proxy: write one such as http://proxy.example:3128")
    return text.strip()


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return value
    raise ValueError(f"must be text: put it in quotes, {str(value).lower()!r}" if value is not None else "must be text")


def _regex(pattern: str) -> str:
    if compile_regex(pattern).groups < 1:
        raise ValueError(f"{pattern!r} has no group: put ( ) around what is to be saved")
    return pattern


Address = Annotated[Template, BeforeValidator(_address), WithJsonSchema({"type": "string"})]
AnyHost = Annotated[str, AfterValidator(_host)]
BaseUrl = Annotated[str, AfterValidator(_base)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
LabelName = Annotated[str, AfterValidator(_label_name)]
ProxyUrl = Annotated[str, AfterValidator(_proxy)]
SavedRegex = Annotated[str, AfterValidator(_regex)]
Text = Annotated[str, BeforeValidator(_text)]
Url = Annotated[Template, BeforeValidator(_url), WithJsonSchema({"type": "string"})]
VariableName = Annotated[str, AfterValidator(_variable_name)]
