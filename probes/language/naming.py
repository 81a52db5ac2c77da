"""The names that a journey's templates use, against those that there will be when they are rendered."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from probes.files.mistakes import Loc, Wrong, did_you_mean
from probes.language.matchers import Matcher
from probes.language.templates import Template, Tree

if TYPE_CHECKING:
    from probes.language.journey import Journey
    from probes.language.kinds import Step

ALWAYS = frozenset({"vars", "run_id", "now", "uuid"})
_WORDS = "and else false if in is loop none not or range self true"
RESERVED = ALWAYS | {"account"} | frozenset(_WORDS.split())


def wrong_names(journey: "Journey") -> Iterator[Wrong]:
    """Every name that nothing can have given a value by then."""
    known = set(ALWAYS) | ({"account"} if journey.accounts else set())
    later = {name for step in [*journey.steps, *journey.cleanup] for name in step.save}
    for name, tree in journey.vars.items():
        yield from _check(("vars", name), tree.required, known, later)
        known.add(name)
    for name, value in journey.headers.items():
        yield from _check(("headers", name), value.required - later, known, later)  # sent once they are known
    for list_name, steps in (("steps", journey.steps), ("cleanup", journey.cleanup)):
        for index, step in enumerate(steps):
            yield from _check_name((list_name, index), step, fixed_names(journey))
            yield from _check_step((list_name, index), step, known, later)
            known.update(step.save)


def fixed_names(journey: "Journey") -> set[str]:
    """The names that mean the same in every run of a journey, but for the account."""
    return {"vars", *journey.vars} | ({"account"} if journey.accounts else set())


def _check_name(loc: Loc, step: "Step", fixed: set[str]) -> Iterator[Wrong]:
    if step.named is not None and not step.named.names <= fixed:
        problem = "a step's name is what its history is kept under: it may use vars and account, and stays as it is"
        yield Wrong(problem, at=(*loc, "name"))


def _check_step(loc: Loc, step: "Step", known: set[str], later: set[str]) -> Iterator[Wrong]:
    for where, required in _templates(step):
        own = set(step.save) if where[0] == "creates" else set()  # written once the answer is there
        yield from _check((*loc, *where), required, known | own, later)


def _check(loc: Loc, required: frozenset[str], known: set[str], later: set[str]) -> Iterator[Wrong]:
    for name in sorted(required - known):
        if name == "account":
            yield Wrong("the template uses account, but the journey has no accounts", at=loc)
        elif name in later:
            yield Wrong(f"the template uses {name!r}, which is saved only afterwards", at=loc)
        else:
            problem = f"the template uses {name!r}, which no step saves and vars does not have"
            yield Wrong(problem, _hint(name, known), loc)


def _hint(name: str, known: set[str]) -> str | None:
    return did_you_mean(name, sorted(known))


def _templates(value: Any, loc: Loc = ()) -> Iterator[tuple[Loc, frozenset[str]]]:
    """Every template of a model with its place in the file."""
    if isinstance(value, Template | Tree | Matcher):
        yield loc, value.required
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            if name in value.model_fields_set:
                yield from _templates(getattr(value, name), (*loc, field.alias or name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _templates(item, (*loc, key))
