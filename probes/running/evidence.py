"""What a failed step shows: secrets masked in every form they take on their way, then cut to size.

Built only when something failed: a run that is up pays nothing for it.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from urllib.parse import parse_qsl

import httpx

from probes.files.masking import forms
from probes.files.secrets import looks_secret
from probes.http.headers import Headers
from probes.http.request import Request
from probes.language.saving import Save

SEEN_LIMIT = 2048  # bytes of UTF-8
MASK = "***"
SHORTEST_SECRET = 3  # shorter ones would blot out ordinary text
SHORTEST_COOKIE = 6  # a cookie such as lang=en is no secret, and neither is the word it holds
_WINDOW = 64 << 10  # characters of a long text that are looked at

_SECRET_WORDS = re.compile(
    r"csrf|xsrf|sess(?!ame)|auth(?!ors?(?![a-z]))|bearer|jwt|nonce|(?<![a-z])(otp|sid)(?![a-z])|signature",
    re.IGNORECASE,
)
_SAME_IN_A_URL = re.compile(r"[A-Za-z0-9_-]+").fullmatch
_PLAIN = re.compile(r"[A-Za-z0-9]+")
_JSON_TEXT = re.compile(r'"([^"\\]{1,100})"\s*:\s*"((?:[^"\\]|\\.)+)"')
_HANDED_OUT = re.compile(r'\\?"([^"\\]{1,100})\\?"\s*:\s*\\?"([^"\s\\]{12,})|[?&]([\w.-]{1,100})=([^&#\s"\'<>]{12,})')
_WEB_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.")
_BODY_LIMIT = 16 << 10  # characters of a request body that the curl command repeats


def sounds_secret(*names: str | None, token: object = None) -> bool:
    """Whether a name (of a variable, a header, a selector, a path) speaks of something that opens doors.

    `token`: the value, if it is known; a JSON Web Token is one whatever its name.
    """
    if isinstance(token, str) and _WEB_TOKEN.match(token):
        return True
    return any(name is not None and (looks_secret(name) or _SECRET_WORDS.search(name)) for name in names)


def hides(name: str, save: Save, value: object = None) -> bool:
    """Whether what is saved so opens doors, by its name or by where it comes from; `value`: if it is known."""
    if save.cookie is not None or _named_secret(name, save.json_, save.html, save.header, save.regex):
        return True
    return sounds_secret(token=value)


@lru_cache(maxsize=4096)
def _named_secret(*names: str | None) -> bool:
    """`sounds_secret` of names that a journey's file has, the same in every run."""
    return sounds_secret(*names)


@lru_cache(maxsize=1024)
def core(secret: str) -> str:
    """The longest piece of a secret that no URL, page or JSON spells differently."""
    return max(_PLAIN.findall(secret), key=len, default=secret)


class Masker:
    """Knows the secrets of one run. `names` of a secret, where it has one, is the variable a user would set."""

    def __init__(self) -> None:
        self._names: dict[str, str | None] = {}
        self._replacements: list[tuple[str, str]] | None = None

    def add(self, value: object, name: str | None = None, shortest: int = SHORTEST_SECRET) -> None:
        """The first name of a secret stays: the user's own variable comes before the names that we make up."""
        text = value if isinstance(value, str) else ""
        if len(text) >= shortest and (text not in self._names or (name and not self._names[text])):
            self._names[text] = name
            self._replacements = None

    def __call__(self, text: str) -> str:
        """`text` with every form of every secret replaced: by `${NAME}` where it has a name, else by `***`."""
        for form, name in self._forms():
            if form in text:
                text = text.replace(form, f"${{{name}}}" if name else MASK)
        return text

    def pieces(self, text: str) -> Iterator[tuple[str, str | None]]:
        """`text` cut at its secrets: (plain text, None), or ("", name) where the secret itself stood, unencoded.

        Encoded forms and nameless secrets come as `***` in the plain text.
        """
        raw = {value: name for value, name in self._names.items() if name}
        for form, _ in self._forms():
            if form not in raw:
                text = text.replace(form, MASK)
        if not raw:
            yield text, None
            return
        pattern = "|".join(re.escape(value) for value in sorted(raw, key=len, reverse=True))
        position = 0
        for found in re.finditer(pattern, text):
            yield text[position : found.start()], None
            yield "", raw[found[0]]
            position = found.end()
        yield text[position:], None

    def clip(self, text: str, limit: int = SEEN_LIMIT) -> str:
        """Masked first, then cut to `limit` bytes: a secret cut in half would no longer be recognised."""
        window = self(text[:_WINDOW])
        if len(text) > _WINDOW or text.endswith("…"):
            window = self._without_torn_end(window)
        data = window.encode("utf-8", "replace")
        if len(data) <= limit and len(text) <= _WINDOW:
            return data.decode()
        return data[: limit - 3].decode("utf-8", "ignore") + "…"

    def _without_torn_end(self, text: str) -> str:
        """Less the first part of a secret that whoever cut the text has left at its end."""
        end = text.rstrip(" …")
        for form, _ in self._forms():
            at = end.find(form[:SHORTEST_SECRET], max(0, len(end) - len(form)))
            while at >= 0:
                if form.startswith(end[at:]):
                    return end[:at] + "…"
                at = end.find(form[:SHORTEST_SECRET], at + 1)
        return text

    def _forms(self) -> list[tuple[str, str]]:
        if self._replacements is None:
            forms = {form: name or "" for value, name in self._names.items() for form in _encodings(value)}
            self._replacements = sorted(forms.items(), key=lambda item: len(item[0]), reverse=True)
        return self._replacements


@lru_cache(maxsize=1024)
def _encodings(secret: str) -> frozenset[str]:
    in_a_url = () if _SAME_IN_A_URL(secret) else _in_a_url(secret)
    return frozenset({secret, *forms(secret), *in_a_url})


def _in_a_url(secret: str) -> Iterator[str]:
    """What httpx makes of a secret that was written into a URL as it is, without being encoded first."""
    for part in {secret, secret.partition("#")[0], secret.partition("?")[0]}:
        for place in ("http://x/", "http://x/?"):
            try:
                spelled = str(httpx.URL(place + part).copy_with(fragment=None))[len(place) :]
            except (httpx.InvalidURL, UnicodeError):  # what cannot be in a URL cannot leak in one
                continue
            if len(spelled) >= SHORTEST_SECRET:
                yield spelled


def secrets_of(request: Request) -> Iterator[str]:
    """Values in a request that nobody named a secret, but that stand where secrets do: a form's hidden CSRF token."""
    headers = Headers(request.headers)
    pairs = [(name, value) for name, value in headers.items() if name not in ("cookie", "x-shopwatch-run")]
    pairs += request.url.params.multi_items() if request.url.query else []
    kind = headers.get("content-type") or ""
    if kind.startswith("application/x-www-form-urlencoded"):
        pairs += parse_qsl(request.content[:_BODY_LIMIT].decode("utf-8", "replace"))
    elif kind.startswith("application/json"):
        pairs += _JSON_TEXT.findall(request.content[:_BODY_LIMIT].decode("utf-8", "replace"))
    for name, value in pairs:
        if sounds_secret(name):
            yield value.removeprefix("Bearer ").removeprefix("Basic ")


def tokens_in(text: str) -> Iterator[str]:
    """What an answer hands out and nobody saved: `"token": "…"` in JSON, `?token=…` in an address.

    Only what looks random, which has a digit: `"authError": "INVALID_CREDENTIALS"` is what people need to read.
    """
    for found in _HANDED_OUT.finditer(text[:_WINDOW]):
        name, value = found[1] or found[3], found[2] or found[4]
        if sounds_secret(name, token=value) and re.search("[0-9]", value):
            yield value


def curl_command(
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    masker: Masker,
    *,
    options: Iterable[str] = (),
) -> str:
    """The command that repeats a request: named secrets as "$VARIABLES", the others and all cookies masked."""
    words = ["curl", "-sS", *(_shell(option, masker) for option in options)]
    if method == "HEAD":
        words.append("--head")
    elif method != ("POST" if body else "GET"):
        words += ["-X", _shell(method, masker)]
    for name, value in headers:
        if name.lower() in ("host", "content-length", "connection", "transfer-encoding"):
            continue
        if name.lower() == "accept-encoding":
            words.append("--compressed")
            continue
        words += ["-H", _shell(f"{name}: {_header_value(name, value)}", masker)]
    if body:
        words += ["--data-raw", _shell(_body_text(body), masker)]
    words.append(_shell(url, masker))
    return " ".join(words)


def shell_command(words: Iterable[str], masker: Masker) -> str:
    """Words for a shell, secrets as in `curl_command`."""
    return " ".join(_shell(word, masker) for word in words)


def _header_value(name: str, value: str) -> str:
    if name.lower() == "cookie":
        return "; ".join(f"{pair.partition('=')[0].strip()}={MASK}" for pair in value.split(";"))
    if name.lower() == "x-shopwatch-run":
        run_id, dot, _ = value.partition(".")
        return run_id + dot + (MASK if dot else "")
    return value


def _body_text(body: bytes) -> str:
    text = body[: 4 * _BODY_LIMIT].decode("utf-8", "backslashreplace")
    return text if len(text) <= _BODY_LIMIT else text[:_BODY_LIMIT] + f"…({len(body)} bytes in all)"


def _shell(text: str, masker: Masker) -> str:
    """One word of a shell command; secrets stand as "$NAME" between the quoted pieces."""
    words = [f'"${name}"' if name else _quote(piece) for piece, name in masker.pieces(text) if piece or name]
    return "".join(words) or "''"


def _quote(text: str) -> str:
    """POSIX quoting; control characters as bash's $'…' so that nothing from outside reaches a terminal raw."""
    if text.isprintable():
        return shlex.quote(text)
    escaped = "".join(c if c.isprintable() and c not in "\\'" else f"\\{c}" if c in "\\'" else _ansi_c(c) for c in text)
    return f"$'{escaped}'"


def _ansi_c(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    if character in named:
        return named[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
