"""Is this page safe to parse? HTML can be written so that any parser takes minutes, or gigabytes, over 1 MB of it.

Three ways are known, and each is estimated before the parser sees the page: deep nesting (every tag looks through all
open ones), formatting elements left open (they are opened again in every paragraph that follows), and thousands of
attributes in one tag (each is compared with the others). Browsers stop at a depth of 512 as well.
"""

import re
from collections.abc import Iterator
from itertools import islice

from probes.errors import ProbesError

MAX_TAGS = 60_000
MAX_DEPTH = 512
MAX_REOPENED = 300_000  # elements that unclosed formatting may add to a page
MAX_ATTRIBUTES = 5_000  # of one tag; of several, as many as cost the same
_SMALL_TAGS = 5_000  # so few that no nesting of them costs more than some 60 ms
_FEW_REOPENED = 1_000_000  # formatting elements times tags: fewer cannot fill the memory
_LONG_PIECE = 16 * 1024
_SOME_ATTRIBUTES = 1024  # characters that a tag with a hundred attributes has at the least

_NAMED = r"""[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>]*+))?+"""
_COMMENT = r"<!--(?:-?>|.*?(?:--!?>|\Z))"
_RAW = "script|style|textarea|title|xmp|iframe|noembed|noframes"
_TAG = re.compile(rf"{_COMMENT}|<(/?)([a-z][^\s/>]*+)(?:[\s/]*+{_NAMED})*+([\s/]*+)>?", re.S | re.I)
_END_OF = {name: re.compile(rf"</{name}[\s/>]|\Z", re.I) for name in _RAW.split("|")}
_NOTHING_RAW_IN = ("svg", "math", "select")
_START = re.compile(r"<[a-z]", re.I)
_ATTRIBUTE = re.compile(_NAMED)
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
    _check_attributes(html)
    if tags > _SMALL_TAGS or (tags > 1000 and len(_FORMATS.findall(html)) * tags > _FEW_REOPENED):
        _check_nesting(html)
    elif len(html) > _LONG_PIECE:
        _check_reopening(html, tags)


def _check_attributes(html: str) -> None:
    """Each attribute of a tag is compared with those before it: what counts is the sum of the squares."""
    pieces = html.split(">")
    if max(map(len, pieces)) <= _SOME_ATTRIBUTES:
        return
    pairs = 0
    for piece in pieces:
        if len(piece) > _SOME_ATTRIBUTES and (start := _START.search(piece)):
            pairs += sum(1 for _ in islice(_ATTRIBUTE.finditer(piece, start.end()), MAX_ATTRIBUTES + 1)) ** 2
            if pairs > MAX_ATTRIBUTES**2:
                raise HostilePage(f"the tags of the page have more than {MAX_ATTRIBUTES} attributes")


def _tags(html: str) -> Iterator[tuple[bool, str]]:
    """For each tag whether it ends something, and its name. What stands in comments, attributes, scripts and their kin
    is no tag; but inside of SVG, MathML and <select> there are no scripts and their kin, whatever it looks like."""
    at, around = 0, dict.fromkeys(_NOTHING_RAW_IN, 0)
    while (found := _TAG.search(html, at)) is not None:
        at = found.end()
        if found[2] is None:
            continue
        ends, name = bool(found[1]), found[2].lower()
        if found[3].endswith("/") and (around["svg"] or around["math"] or name in ("svg", "math")):
            continue  # there, and only there, `/>` ends an element
        yield ends, name
        if name in around:
            around[name] = max(0, around[name] + (-1 if ends else 1))
        elif name in _END_OF and not ends and not any(around.values()):
            at = _END_OF[name].search(html, at).start()  # type: ignore[union-attr]  # the end of the page at the latest


def _check_nesting(html: str) -> None:
    depth = formatting = reopened = 0
    for ends, name in _tags(html):
        if name in _VOID:
            continue
        if name in _FORMATTING:
            formatting = max(0, formatting - 1) if ends else formatting + 1
        elif not ends:
            reopened += formatting
        if name not in _CLOSE_THEMSELVES:
            depth = max(0, depth - 1) if ends else depth + 1
        if depth > MAX_DEPTH:
            raise HostilePage(f"the page is nested more than {MAX_DEPTH} deep")
    if reopened > MAX_REOPENED:
        raise HostilePage("the page leaves formatting elements open, thousands of times over")


def _check_reopening(html: str, tags: int) -> None:
    """A page of few tags: one huge formatting tag, copied into every paragraph."""
    longest = max(map(len, html.split("<")))
    if longest * tags > (64 << 20) and _FORMATS.search(html):
        _check_huge_formatting(html)


def _check_huge_formatting(html: str) -> None:
    for piece in html.split("<"):
        end = piece.find(">")
        if _FORMATS.match("<" + piece[:20]) and (end if end >= 0 else len(piece)) > _LONG_PIECE:
            raise HostilePage("a formatting element of the page has attributes of thousands of characters")
