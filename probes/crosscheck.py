"""What only shows when the parts of a journey are seen together: names nobody saves, addresses without a base, files.

Names and files are warnings: the journey is well formed, and its run will say `config` where they are really missing.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from probes.journey import Journey
from probes.mistakes import Loc, Mistake, did_you_mean, one_of
from probes.settings import web_address
from probes.yamlfile import Document

_GIVEN = frozenset({"vars", "run_id", "now", "uuid"})  # at hand in every template, and `account` where there are some
_OWN_LABELS = ("alertname", "journey", "service", "severity", "location")
_OWN_SAVES = ("creates", "expect", "until")  # may use what the same step saves


def cross_check(journey: Journey, document: Document) -> Iterator[Mistake]:
    yield from _names(journey, document)
    yield from _addresses(journey, document)
    yield from _files(journey, document)
    yield from _labels(journey, document)


def _names(journey: Journey, document: Document) -> Iterator[Mistake]:
    """Every name that a template needs is given, set in `vars`, or saved by a step before it."""
    known = _GIVEN | ({"account"} if journey.accounts else set())
    for name, tree in journey.vars.items():
        yield from _unknown(document, tree, ("vars", name), known)
        known = known | {name}
    yield from _unknown(document, journey.headers, ("headers",), known)
    for section, steps in (("steps", journey.steps), ("cleanup", journey.cleanup)):
        for index, step in enumerate(steps):
            saved = known | set(step.save)
            for key, value in _fields(step):
                yield from _unknown(document, value, (section, index, key), saved if key in _OWN_SAVES else known)
            known = saved


def _unknown(document: Document, value: Any, loc: Loc, known: Iterable[str]) -> Iterator[Mistake]:
    for place, required in _needs(value, loc):
        for name in sorted(required.difference(known)):
            if name == "account":
                hint: str | None = "list some: accounts: [{user: NAME, password: ${PASSWORD}}]"
                yield document.mistake(place, "needs an account, and the journey has none", hint, warning=True)
            else:
                hint = did_you_mean(name, known) or f"known here: {one_of(sorted(known))}"
                problem = f'needs "{name}", which nothing before it sets or saves'
                yield document.mistake(place, problem, hint, warning=True)


def _needs(value: Any, loc: Loc) -> Iterator[tuple[Loc, frozenset[str]]]:
    """Every template inside a value, with the names that it cannot be rendered without."""
    required = getattr(value, "required", None)
    if isinstance(required, frozenset):
        yield loc, required
    elif isinstance(value, BaseModel):
        for key, inner in _fields(value):
            yield from _needs(inner, (*loc, key))
    elif isinstance(value, dict | list):
        for part, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _needs(inner, (*loc, part))


def _fields(model: BaseModel) -> Iterator[tuple[str, Any]]:
    for name, field in type(model).model_fields.items():
        yield field.alias or name, getattr(model, name)


def _addresses(journey: Journey, document: Document) -> Iterator[Mistake]:
    if journey.base is not None:
        try:
            web_address(journey.base)
        except ValueError as error:
            if ("base",) not in document.unresolved:
                yield document.mistake(("base",), str(error))
        return
    for section, steps in (("steps", journey.steps), ("cleanup", journey.cleanup)):
        for index, step in enumerate(steps):
            if step.kind == "http" and not re.match(r"https?://|\{\{", step.url.source):
                problem = "is no whole address, and the journey has no base"
                yield document.mistake((section, index, step.verb), problem, "add base: https://shop.example")


def _files(journey: Journey, document: Document) -> Iterator[Mistake]:
    for key in ("ca", "cert", "key") if journey.tls else ():
        name = getattr(journey.tls, key)
        if name is not None and not (document.path.parent / name).is_file():
            problem = f'there is no file "{name}" beside the journey'
            yield document.mistake(("tls", key), problem, warning=True)


def _labels(journey: Journey, document: Document) -> Iterator[Mistake]:
    for name in journey.labels:
        if name in _OWN_LABELS:
            yield document.mistake(("labels", name), "is set by Shopwatch itself", "choose another name")
        elif not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name) or name.startswith("__"):
            hint = "letters, digits and _, beginning with a letter, as Prometheus has it"
            yield document.mistake(("labels", name), "cannot be the name of a label", hint)
