"""A review as Markdown, by the shipped template (the user's own: see `apart`), and as a page of its own."""

import base64
import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt

from incident.reviews.apart import rendered
from incident.reviews.facts import Facts
from incident.reviews.sections import COMMENT, Sections, escaped
from incident.reviews.words import WORDS
from probes.terminal import clean

TEMPLATES = Path(__file__).parent / "templates"
TEMPLATE = "runbooks/review.md.j2"  # of the workspace: the user's own
LARGEST_TEMPLATE = 100_000  # characters
NAMES = ("incident", "sections", "words", "lang")


def material_for(facts: Facts, lang: str, zone: ZoneInfo) -> dict[str, Any]:
    """What a template sees: NAMES."""
    sections = Sections(facts, WORDS[lang], zone)
    return {"incident": _escaped(facts), "sections": sections.all(), "words": dict(WORDS[lang]), "lang": lang}


def shipped(given: Mapping[str, Any]) -> str:
    """The review by the template that comes with Shopwatch."""
    return rendered((TEMPLATES / "review.md.j2").read_text(encoding="utf-8"), given)


def draft(facts: Facts, text: str) -> str:
    """The review to work on, with the line that says on which version it is based, and nothing to steer a terminal."""
    version = (facts["published"] or {}).get("version", 0)
    text = clean(text.rstrip(), keep="\n\t")
    return f"<!-- shopwatch:review #{facts['number']} version {version} -->\n{text}\n"


def published(facts: Facts, lang: str, zone: ZoneInfo, text: str) -> str:
    """What was published, with those parts made anew that Shopwatch wrote."""
    return draft(facts, Sections(facts, WORDS[lang], zone).refreshed(text))


def _escaped(value: Any) -> Any:
    """All texts of it as Markdown that means nothing but itself: whoever writes a template need not think of it."""
    if isinstance(value, Mapping):
        return {str(key): _escaped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return escaped(value) if isinstance(value, str) else value


def page(text: str, picture: str, facts: Facts, lang: str) -> tuple[str, str]:
    """A whole HTML document, and the Content-Security-Policy that it needs. `text` is Markdown from anybody."""
    css = (TEMPLATES / "review.css").read_text(encoding="utf-8")
    styles = [css, *re.findall(r"<style>(.*?)</style>", picture, re.S)]
    hashes = " ".join(f"'sha256-{_digest(style)}'" for style in styles)
    policy = f"default-src 'none'; style-src {hashes}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    head, _, rest = _html(COMMENT.sub("", text)).partition("</h1>")
    html = (
        _environment()
        .get_template("review.html.j2")
        .render(
            head=f"{head}</h1>" if rest else "",
            body=rest or head,
            picture=picture,
            css=css,
            policy=policy.replace(" frame-ancestors 'none'", ""),  # which has no meaning inside a document
            title=f"#{facts['number']} {facts['title']}",
            lang="zh-Hans" if lang == "zh" else "en",
        )
    )
    return html, policy


def _digest(text: str) -> str:
    return base64.b64encode(sha256(text.encode()).digest()).decode()


def _html(text: str) -> str:
    """No HTML of its own, no pictures, links to the web only."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "html_inline", "html_block"])
    parser.validateLink = _is_web_link  # type: ignore[method-assign]
    return str(parser.render(text))


def _is_web_link(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
