"""curl command lines, as people type them and as browsers' "Copy as cURL" writes them.

Source: curl's manual page. What says how to connect or what to print is passed over; what reads files is refused.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote_plus, urlsplit, urlunsplit

from probes.importing.recording import CannotImport, Exchange, Pairs
from probes.importing.shell import commands

_LONG = {
    "X": "request", "H": "header", "d": "data", "F": "form", "u": "user", "b": "cookie", "A": "user-agent",
    "e": "referer", "G": "get", "I": "head", "k": "insecure", "L": "location", "x": "proxy", "T": "upload-file",
    "E": "cert",
}  # fmt: skip
_SHORT_WITH_VALUE = frozenset("XHdFubAexTEomwcDCKrtUyYzPQ")
_PASSED_OVER = """
    connect-timeout max-time output write-out retry retry-delay retry-max-time resolve connect-to interface dns-servers
    cookie-jar dump-header limit-rate ciphers tls-max tls13-ciphers proxy proxy-user noproxy config range max-redirs
    cacert capath cert cert-type key key-type pass trace trace-ascii stderr keepalive-time max-filesize unix-socket
    aws-sigv4 proto proto-redir speed-limit speed-time upload-file o w m c D C K r t U y Y z P Q E
"""
_WITH_VALUE = frozenset(_PASSED_OVER.split())
_FILES = {"upload-file": "sends a file", "config": "reads options from a file"}


@dataclass
class _Command:
    urls: list[str] = field(default_factory=list)
    method: str | None = None
    headers: Pairs = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    parts: Pairs = field(default_factory=list)
    as_json: bool = False
    get: bool = False
    head: bool = False
    insecure: bool = False
    follow: bool = False


def read_curl(text: str) -> list[Exchange]:
    """The requests of every curl command in the text. Raises CannotImport."""
    found: list[Exchange] = []
    for words in commands(text):
        if words[0].rpartition("/")[2] not in ("curl", "curl.exe"):
            raise CannotImport(
                f"{words[0][:60]!r} is not curl: paste the whole command, quoted as one argument or on stdin"
            )
        found += _exchanges(_parsed(words[1:]))
    if not found:
        raise CannotImport("there is no curl command in it")
    return found


def _parsed(words: list[str]) -> _Command:
    command = _Command()
    for name, value in _options(words):
        if name in _SET:
            _SET[name](command, value)
        elif name in _FILES:
            raise CannotImport(f"curl --{name} {_FILES[name]}, which a journey cannot")
    return command


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Long names without dashes; `url` for what is no option."""
    rest = iter(words)
    for word in rest:
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            if not equals and (name in _WITH_VALUE or name in _TAKE_VALUE):
                value = next(rest, "")
            yield name, value
        elif word.startswith("-") and len(word) > 1:
            yield from _short(word[1:], rest)
        else:
            yield "url", word


def _short(letters: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    """`-sSL`, `-XPOST`, `-d value`."""
    for at, letter in enumerate(letters):
        name = _LONG.get(letter, letter)
        if letter in _SHORT_WITH_VALUE:
            yield name, letters[at + 1 :] or next(rest, "")
            return
        yield name, ""


def _data(command: _Command, value: str) -> None:
    if value.startswith("@"):
        raise CannotImport(f"the data is in the file {value[1:]}: put its content into the command")
    command.data.append(value)


def _encoded(command: _Command, value: str) -> None:
    name, equals, content = value.partition("=")
    if not equals and "@" in value:
        raise CannotImport(f"the data is in the file {value.partition('@')[2]}: put its content into the command")
    command.data.append(
        f"{name}={quote_plus(content)}" if equals and name else quote_plus(content if equals else value)
    )


def _part(command: _Command, value: str) -> None:
    name, _, content = value.partition("=")
    if content.startswith(("@", "<")):
        raise CannotImport(f"the field {name} is a file ({content[1:]}), which a journey cannot send")
    command.parts.append((name, content.partition(";type=")[0]))


def _json(command: _Command, value: str) -> None:
    _data(command, value)
    command.as_json = True


def _cookie(command: _Command, value: str) -> None:
    if "=" not in value:
        raise CannotImport(f"the cookies are in the file {value}: put them into the command, as name=value")
    command.headers.append(("Cookie", value))


def _header(command: _Command, value: str) -> None:
    name, colon, content = value.partition(":")
    if colon and name.strip():
        command.headers.append((name.strip(), content.strip()))


def _user(command: _Command, value: str) -> None:
    command.headers.append(("Authorization", f"Basic {b64encode(value.encode()).decode()}"))


def _flag(name: str) -> Callable[[_Command, str], None]:
    return lambda command, value: setattr(command, name, True)


_TAKE_VALUE: dict[str, Callable[[_Command, str], None]] = {
    "url": lambda command, value: command.urls.append(value),
    "request": lambda command, value: setattr(command, "method", value.upper()),
    "header": _header,
    "data": _data,
    "data-ascii": _data,
    "data-binary": _data,
    "data-raw": lambda command, value: command.data.append(value),
    "data-urlencode": _encoded,
    "form": _part,
    "form-string": lambda command, value: command.parts.append((value.partition("=")[0], value.partition("=")[2])),
    "json": _json,
    "cookie": _cookie,
    "user": _user,
    "oauth2-bearer": lambda command, value: command.headers.append(("Authorization", f"Bearer {value}")),
    "user-agent": lambda command, value: command.headers.append(("User-Agent", value)),
    "referer": lambda command, value: command.headers.append(("Referer", value)),
}
_SET = _TAKE_VALUE | {name: _flag(name) for name in ("get", "head", "insecure")} | {
    "location": _flag("follow"), "location-trusted": _flag("follow"),
}  # fmt: skip


def _exchanges(command: _Command) -> Iterator[Exchange]:
    if not command.urls:
        raise CannotImport("a curl command has no address")
    data = "&".join(command.data)
    for url in command.urls:
        yield _exchange(command, _address(url, data if command.get else ""), "" if command.get else data)


def _exchange(command: _Command, url: str, data: str) -> Exchange:
    method = command.method or ("HEAD" if command.head else "POST" if data or command.parts else "GET")
    exchange = Exchange(method, url, list(command.headers), data, follow=command.follow, insecure=command.insecure)
    if command.parts:
        exchange.form, exchange.multipart = command.parts, True
    elif command.as_json:
        exchange.headers += [("Content-Type", "application/json"), ("Accept", "application/json")]
    elif data and "form-urlencoded" in (exchange.header("content-type") or "form-urlencoded") and not _is_json(data):
        exchange.form = parse_qsl(data, keep_blank_values=True) if "=" in data else None
    return exchange


def _is_json(data: str) -> bool:
    try:
        return isinstance(json.loads(data), dict | list)
    except (ValueError, RecursionError):
        return False


def _address(url: str, query: str) -> str:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        valid = parts.scheme in ("http", "https") and parts.hostname
    except ValueError:
        valid = None
    if not valid:
        raise CannotImport(f"{url[:200]!r} is not an http or https address")
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, query))), fragment=""))
