"""Is reading this answer sure to be quick? What is not is read in another process, so that nobody else is late.

The bounds are such that the worst of what passes takes some 5 ms. They look at the raw bytes and at the questions, and
cost microseconds themselves.
"""

import re

from probes.running.answer import HTML, Answer
from probes.running.reading.inspection import Questions

LIGHT_BYTES = 64 << 10
LIGHT_TAGS = 1500  # however they are nested: that many cost no more than 5 ms
LIGHT_PIECE = 4096  # characters of one tag: its attributes are compared with one another
COSTLY_TAGS = 150  # for selectors that look at all neighbours or descendants
SEARCH_BYTES = 4096  # of a document that a path searches through, at 5 µs a node
DEEP_SEARCH_BYTES = 200  # for paths that search again below all that they have found
REPEAT_BYTES = 2048  # for regexes with counted repetitions

_COSTLY_SELECTOR = re.compile(r":(nth-|has\(|is\(|where\(|not\()|[~+]", re.I)
_SEARCHES = re.compile(r"\.\.|\*|\?|:")
_TAG = re.compile(rb"<[a-z]", re.I)


def touches_body(questions: Questions) -> bool:
    for expect in (questions.expect, questions.until):
        if expect is not None and (expect.html or expect.json_ or expect.body is not None):
            return True
    return any(save.html or save.json_ or save.regex for save in questions.save.values())


def is_heavy(answer: Answer, questions: Questions) -> bool:
    """Whether looking for what is asked, or showing the body because something is wrong, could take long."""
    content = answer.content
    size = len(content)
    if size > LIGHT_BYTES:
        return True
    if size > DEEP_SEARCH_BYTES and _asks_too_much(questions, size, content):
        return True
    return size > LIGHT_PIECE and (answer.content_type in HTML or _wants_html(questions)) and is_heavy_page(content)


def is_heavy_page(content: bytes) -> bool:
    if len(content) <= LIGHT_PIECE:
        return False
    if len(content) > LIGHT_BYTES or content.count(b"<") > LIGHT_TAGS:
        return True
    return any(
        len(piece) > LIGHT_PIECE
        and (found := _TAG.search(piece)) is not None
        and len(piece) - found.end() > LIGHT_PIECE
        for piece in content.split(b">")
    )


def _wants_html(questions: Questions) -> bool:
    expects = (questions.expect, questions.until)
    return any(expect is not None and expect.html for expect in expects) or any(
        save.html for save in questions.save.values()
    )


def _asks_too_much(questions: Questions, size: int, content: bytes) -> bool:
    for expect in (questions.expect, questions.until):
        if expect is None:
            continue
        if any(_is_long_search(path, size) for path in expect.json_):
            return True
        if any(_is_costly(selector, content) for selector in expect.html):
            return True
        if size > REPEAT_BYTES and any(
            "{" in str(matcher.source) for matcher in (expect.body, *expect.json_.values(), *expect.html.values())
            if matcher is not None
        ):  # fmt: skip
            return True
    for save in questions.save.values():
        if save.json_ is not None and _is_long_search(save.json_, size):
            return True
        if save.html is not None and _is_costly(save.html, content):
            return True
        if save.regex is not None and size > REPEAT_BYTES and "{" in save.regex:
            return True
    return False


def _is_long_search(path: str, size: int) -> bool:
    searches = len(_SEARCHES.findall(path))
    return searches > 1 or (searches == 1 and size > SEARCH_BYTES)


def _is_costly(selector: str, content: bytes) -> bool:
    return _COSTLY_SELECTOR.search(selector) is not None and content.count(b"<") > COSTLY_TAGS
