"""A review as Markdown, by the shipped template or the user's own (sandboxed); and as a page of its own."""

import base64
import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.exceptions import TemplateError
from markdown_it import MarkdownIt

from incident.errors import Refused
from incident.reviews.facts import Facts
from incident.reviews.sections import COMMENT, Sections, escaped
from incident.reviews.words import WORDS
from probes.language.bounds import start_budget
from probes.language.filters import ALL
from probes.language.sandbox import Sandbox

TEMPLATES = Path(__file__).parent / "templates"
LARGEST_TEMPLATE = 100_000  # characters


def markdown(facts: Facts, lang: str, zone: ZoneInfo, template: str | None = None) -> str:
    """The review to work on. `template`: the user's own. Raises Refused where that makes no sense."""
    sections = Sections(facts, WORDS[lang], zone)
    given = {"incident": _escaped(facts), "sections": sections.all(), "words": dict(WORDS[lang]), "lang": lang}
    source = _shipped() if template is None else template
    version = (facts["published"] or {}).get("version", 0)
    return f"<!-- shopwatch:review #{facts['number']} version {version} -->\n{_rendered(source, given)}".rstrip() + "\n"


def published(facts: Facts, lang: str, zone: ZoneInfo, text: str) -> str:
    """What was published, with those parts made anew that Shopwatch wrote."""
    version = facts["published"]["version"]
    fresh = Sections(facts, WORDS[lang], zone).refreshed(text)
    return f"<!-- shopwatch:review #{facts['number']} version {version} -->\n{fresh}".rstrip() + "\n"


def _rendered(source: str, given: Mapping[str, Any]) -> str:
    if len(source) > LARGEST_TEMPLATE:
        raise Refused(f"the template of the review has more than {LARGEST_TEMPLATE} characters")
    sandbox = Sandbox(ALL)
    try:
        template = sandbox.from_string(sandbox.parse_checked(source))
        start_budget()
        return str(template.render(given))
    except (TemplateError, RecursionError, ArithmeticError, TypeError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f", line {line}" if line else ""
        raise Refused(f"the template of the review{where}: {error}") from None


def _escaped(value: Any) -> Any:
    """All texts of it as Markdown that means nothing but itself: whoever writes a template need not think of it."""
    if isinstance(value, Mapping):
        return {str(key): _escaped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return escaped(value) if isinstance(value, str) else value


@cache
def _shipped() -> str:
    return (TEMPLATES / "review.md.j2").read_text(encoding="utf-8")


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
