"""Secrets, taken out of everything that is shown, logged or kept: as they are, and as encodings would carry them."""

import base64
import html
import json
import re
import shlex
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

_SHORTEST = 3  # anything shorter would blank half of every page


class Masker:
    """Called with text, returns it with each secret replaced by `${NAME}`. Immutable."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = {name: value for name, value in secrets.items() if len(value) >= _SHORTEST}
        self._names: dict[str, str] = {}
        for name, value in self._secrets.items():
            for form in forms(value):
                self._names.setdefault(form, f"${{{name}}}")
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(lambda found: self._names[found[0]], text)

    def also(self, secrets: Mapping[str, str]) -> "Masker":
        """A masker that knows these too, as a run does with what it saved (name -> value)."""
        return Masker({**self._secrets, **secrets})


def forms(value: str) -> set[str]:
    """The secret itself and as percent-encoding, HTML, JSON, a shell word, base64 (at any offset) and hex carry it."""
    raw = value.encode(errors="surrogatepass")
    found = {value, html.escape(value), html.escape(value, quote=False), html.escape(value).replace("&#x27;", "&#39;")}
    for encoded in (quote(raw, safe=""), quote(raw), quote_plus(raw), quote(raw, safe="!'()*~-._")):
        found |= {encoded, re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)}
    found |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    found |= {json.dumps(value)[1:-1].replace("/", "\\/"), shlex.quote(value).strip("'")}
    if len(raw) >= 6:  # shorter pieces would meet ordinary text
        found |= {raw.hex(), raw.hex().upper(), *_base64_pieces(raw)}
    return {form for form in found if len(form) >= _SHORTEST}


def _base64_pieces(raw: bytes) -> set[str]:
    """What base64 makes of the secret wherever it stands in a longer text, less the digits that neighbours share."""
    pieces = {base64.b64encode(raw).decode().rstrip("=")}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        start = (before * 8 + 5) // 6
        end = (before + len(raw)) * 8 // 6
        pieces.add(encoded[start:end])
    return pieces | {piece.translate(str.maketrans("+/", "-_")) for piece in pieces}
