"""Is this page safe to parse? HTML can be written so that any parser takes minutes, or gigabytes, over 1 MB of it.

Three ways are known, and each is estimated before the parser sees the page: deep nesting (every tag looks through all
open ones), formatting elements left open (they are opened again in every paragraph that follows), and thousands of
attributes in one tag (each is compared with the others). Browsers stop at a depth of 512 as well.
"""

import re

from probes.errors import ProbesError

MAX_TAGS = 60_000
MAX_DEPTH = 512
MAX_REOPENED = 300_000  # elements that unclosed formatting may add to a page
MAX_ATTRIBUTES = 5_000
_SMALL_TAGS = 5_000  # so few that no nesting of them costs more than some 60 ms
_FEW_REOPENED = 1_000_000  # formatting elements times tags: fewer cannot fill the memory
_LONG_PIECE = 16 * 1024

_IGNORED = re.compile(
    r"<!--.*?(?:--!?>|\Z)|<(script|style|textarea|title|xmp|iframe|noembed|noframes)\b.*?(?:</\1\s*>|\Z)", re.S | re.I
)
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.I)
_START = re.compile(r"<[a-z]", re.I)
_ATTRIBUTE = re.compile(r"""[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>]*+))?""")
_FORMATS = re.compile(r"<(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/>]", re.I)
_VOID = frozenset((
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
))  # fmt: skip
_CLOSE_THEMSELVES = frozenset((
    "p", "li", "dt", "dd", "option", "optgroup", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "rp",
    "rt", "html", "head", "body",
))  # fmt: skip
_FORMATTING = frozenset((
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
))  # fmt: skip


class HostilePage(ProbesError):
    """A page that is not parsed, because that could take minutes or gigabytes."""


def check_page(html: str) -> None:
    """Raises HostilePage. Costs some 10 µs for small pages, and 1 µs a tag for those of more than 5,000."""
    tags = html.count("<")
    if tags > MAX_TAGS:
        raise HostilePage(f"the page has more than {MAX_TAGS} tags")
    if html.count(">") > tags + 2 * MAX_ATTRIBUTES:
        raise HostilePage("the page has far more ends of tags than tags")
    for piece in html.split(">"):
        if len(piece) > _LONG_PIECE:
            _check_attributes(piece)
    if tags > _SMALL_TAGS or (tags > 1000 and len(_FORMATS.findall(html)) * tags > _FEW_REOPENED):
        _check_nesting(_IGNORED.sub("", html))
    elif len(html) > _LONG_PIECE:
        _check_reopening(html, tags)


def _check_attributes(piece: str) -> None:
    start = _START.search(piece)
    if start is None:
        return
    for count, _ in enumerate(_ATTRIBUTE.finditer(piece, start.end())):
        if count > MAX_ATTRIBUTES:
            raise HostilePage(f"a tag of the page has more than {MAX_ATTRIBUTES} attributes")


def _check_nesting(html: str) -> None:
    depth = formatting = reopened = 0
    for found in _TAG.finditer(html):
        name = found[2].lower()
        if name in _VOID:
            continue
        if name in _FORMATTING:
            formatting = max(0, formatting - 1) if found[1] else formatting + 1
        elif not found[1]:
            reopened += formatting
        if name not in _CLOSE_THEMSELVES:
            depth = max(0, depth - 1) if found[1] else depth + 1
        if depth > MAX_DEPTH:
            raise HostilePage(f"the page is nested more than {MAX_DEPTH} deep")
    if reopened > MAX_REOPENED:
        raise HostilePage("the page leaves formatting elements open, thousands of times over")


def _check_reopening(html: str, tags: int) -> None:
    """A page of few tags: one huge formatting tag, copied into every paragraph."""
    longest = max(map(len, html.split("<")))
    if longest * tags > (64 << 20) and _FORMATTING & {found[2].lower() for found in _TAG.finditer(html)}:
        _check_huge_formatting(html)


def _check_huge_formatting(html: str) -> None:
    for piece in html.split("<"):
        name = _TAG.match("<" + piece[:20])
        end = piece.find(">")
        if name and not name[1] and name[2].lower() in _FORMATTING and (end if end >= 0 else len(piece)) > _LONG_PIECE:
            raise HostilePage("a formatting element of the page has attributes of thousands of characters")
