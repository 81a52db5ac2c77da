"""For who traces a run: the part of the answer around what was expected and not found."""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from probes.language.kinds import Step
from probes.language.paths import find
from probes.pages.markup import HostilePage
from probes.running.answer import Answer, WrongEncoding
from probes.running.evidence import MASK, Masker, sounds_secret, tokens_in

if TYPE_CHECKING:
    from probes.running.run import Run

LIMIT = 2048  # bytes
_LINES = 30
_DEEPEST = 3  # levels of JSON that are shown below the place
_TAG = re.compile(r"<(?:input|meta|button)\b[^>]*>", re.I)
_NAMED = re.compile(r"""\b(?:name|id|type|property)\s*=\s*["']?([^\s"'>]+)""", re.I)
_VALUED = re.compile(r"""\b(value|content)\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)""", re.I)


def around(model: Step, run: "Run", expected: str, masker: Masker) -> str | None:
    """Masked and cut; None where nothing came that could be shown. `expected`: as the failure says it."""
    answer = run.session.answer
    if model.submit is not None and (answer is None or expected.startswith("the form")):
        answer = run.page
    if answer is None or not answer.content:
        return None
    try:
        text = _page(model, answer, expected) if answer.is_page else _document(model, answer, expected)
    except (HostilePage, WrongEncoding, ValueError, RecursionError):
        text = answer.shown
    for token in tokens_in(text):
        masker.add(token)
    lines = masker.clip(text, LIMIT).splitlines()
    return "\n".join(lines[:_LINES] + (["…"] if len(lines) > _LINES else []))


def _wanted(model: Step, kind: str, expected: str) -> str | None:
    """The selector or path that the failure is about."""
    for part in (model.expect, model.until):
        for name in getattr(part, kind, None) or {}:
            if expected.startswith(f"{kind.rstrip('_')} {name} "):
                return str(name)
    for save in model.save.values():
        name = getattr(save, kind)
        if name is not None and expected.startswith(f"{kind.rstrip('_')} {name}, "):
            return str(name)
    return None


def _page(model: Step, answer: Answer, expected: str) -> str:
    selector = _wanted(model, "html", expected)
    if selector is None and expected.startswith("the form"):
        forms = answer.page.select("form")
        return "\n".join(_html(form) for form in forms) or _html(answer.page.document.body)
    for wider in _wider(selector) if selector else ():
        if nodes := answer.page.select(wider):
            near = nodes[0].parent if wider == selector and nodes[0].parent is not None else nodes[0]
            return _html(near)
    main = answer.page.select("main") or answer.page.select("body")
    return _html(main[0]) if main else answer.shown


def _wider(selector: str) -> Iterator[str]:
    """The selector itself, and then less and less of its end: the nearest that is there is of interest."""
    parts = re.split(r"\s*[>+~]\s*|\s+", selector) if not re.search(r"[\[(\"',]", selector) else [selector]
    yield selector
    for end in range(len(parts) - 1, 0, -1):
        yield " ".join(parts[:end])


def _html(node: Any) -> str:
    """The element as markup, an element a line, its tokens hidden."""
    text = _TAG.sub(lambda found: _hidden(found[0]), node.html or "")
    text = re.sub(r"(?is)<(script|style|svg)\b.*?</\1\s*>", "", text)
    return "\n".join(line.strip() for line in re.sub(r">\s*\n\s*<|>\s+<", ">\n<", text).splitlines() if line.strip())


def _hidden(tag: str) -> str:
    if not any(sounds_secret(name) for name in _NAMED.findall(tag)):
        return tag
    return _VALUED.sub(lambda found: f'{found[1]}="{MASK}"', tag)


def _document(model: Step, answer: Answer, expected: str) -> str:
    path = _wanted(model, "json_", expected)
    if path is None and not answer.content_type.endswith("json"):
        return answer.text
    where, value = _nearest(answer.document, path or "$")
    return f"{where} = " + json.dumps(_pruned(value, _DEEPEST), indent=2, ensure_ascii=False, default=_plain)


def _nearest(document: Any, path: str) -> tuple[str, Any]:
    """The innermost thing around the path that is there."""
    parts = re.findall(r"\.\.?[^.\[]+|\[[^\]]*\]", path[1:])
    for end in range(len(parts) - 1, 0, -1):
        shorter = "$" + "".join(parts[:end])
        try:
            found = find(shorter, document)
        except ValueError:  # no path of its own: cut in the middle of something
            continue
        if found:
            return shorter, found[0]
    return "$", document


def _pruned(value: Any, levels: int) -> Any:
    if isinstance(value, dict):
        items = list(value.items())[:20]
        return {key: _pruned(inner, levels - 1) for key, inner in items} if levels else "…"
    if isinstance(value, list):
        shown = [_pruned(inner, levels - 1) for inner in value[:3]] if levels else ["…"]
        return shown + ([f"… {len(value)} in all"] if len(value) > 3 else [])
    return value


def _plain(value: Any) -> Any:
    return float(value) if hasattr(value, "as_tuple") else str(value)
