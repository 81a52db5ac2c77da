"""Matchers as Alertmanager's API takes them: the classic notation, and where that cannot be read, the one for UTF-8.

Source of the rules: Alertmanager 0.34, matcher/compat (fallback mode), pkg/labels/parse.go, matcher/parse. Pure.
"""

import json
import re
from collections.abc import Sequence

from probes.labels import BadMatcher, LabelMatcher
from probes.regex import STRANGERS_LENGTH, BadRegex, compile_strangers

MOST = 20_000  # characters
MOST_MATCHERS = 64  # of one request, or one silence
_CLASSIC = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*(.*?)\s*", re.S)
_WORD = r"""[^{}!=~,\\"'`\s]+"""
_QUOTED = r'"(?:[^"\\\n]|\\.)*"'
_UTF8 = re.compile(rf"\s*({_QUOTED}|{_WORD})\s*(=~|=|!=|!~)\s*({_QUOTED}|{_WORD})\s*", re.S)


def read_matchers(texts: Sequence[str]) -> list[LabelMatcher]:
    """Those of one request, which are bounded together. Raises BadMatcher."""
    if len(texts) > MOST_MATCHERS:
        raise BadMatcher(f"{len(texts)} matchers; {MOST_MATCHERS} is the most")
    found = [read_matcher(text) for text in texts]
    check_regexes(found)
    return found


def check_regexes(matchers: Sequence[LabelMatcher]) -> None:
    """They are tried on thousands of alerts, one after the other. Raises BadMatcher where that takes too long."""
    length = sum(len(one.value) for one in matchers if one.is_regex)
    if length > STRANGERS_LENGTH:
        raise BadMatcher(f"regexes of {length} characters in all; {STRANGERS_LENGTH} is the most")


def read_matcher(text: str) -> LabelMatcher:
    """Raises BadMatcher."""
    if text.startswith("{") or text.endswith("}"):
        raise BadMatcher(f"unexpected open or close brace: {text[:200]}")
    if len(text) > MOST:
        raise BadMatcher(f"a matcher of {len(text)} characters; {MOST} is the most")
    try:
        return _classic(text)
    except BadMatcher as error:
        try:
            return _utf8(text)
        except BadMatcher:
            raise error from None


def make_matcher(name: str, op: str, value: str) -> LabelMatcher:
    """Raises BadMatcher for a regex that is none."""
    made = LabelMatcher(name, value, is_regex=op in ("=~", "!~"), is_equal=op in ("=", "=~"))
    if made.is_regex:
        try:
            compile_strangers(value)
        except BadRegex as error:
            raise BadMatcher(str(error)) from None
    return made


def _classic(text: str) -> LabelMatcher:
    found = _CLASSIC.fullmatch(text)
    if not found:
        raise BadMatcher(f"bad matcher format: {text[:200]}")
    return make_matcher(found[1], found[2], _unescaped(found[3]))


def _unescaped(raw: str) -> str:
    r"""`\n`, `\"` and `\\` are escapes, other backslashes stand for themselves. Quotes around it are optional."""
    quoted = raw.startswith('"')
    body = raw[1:] if quoted else raw
    pieces = re.findall(r"\\.|.", body, re.S)
    if quoted and pieces and pieces[-1] == '"':
        pieces.pop()
        quoted = False
    if quoted or '"' in pieces:
        raise BadMatcher(f"matcher value contains unescaped double quote: {raw[:200]}")
    return "".join({"\\n": "\n", '\\"': '"', "\\\\": "\\"}.get(piece, piece) for piece in pieces)


def _utf8(text: str) -> LabelMatcher:
    found = _UTF8.fullmatch(text)
    if not found:
        raise BadMatcher(f"bad matcher format: {text[:200]}")
    return make_matcher(_unquoted(found[1]), found[2], _unquoted(found[3]))


def _unquoted(token: str) -> str:
    if not token.startswith('"'):
        return token
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        raise BadMatcher(f"bad escape in {token[:200]}") from None
