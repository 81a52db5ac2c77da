"""Steps that `creates` something in the shop: the ledger knows before the request leaves, and after it came back."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from probes.language.journey import Journey
from probes.language.kinds import Step as StepModel
from probes.language.matchers import Matcher
from probes.language.templates import Template, TemplateFailed, Tree
from probes.language.values import to_text
from probes.result import Step
from probes.running.evidence import Masker
from probes.running.ledger import Entry, LedgerUnwritable
from probes.running.run import Run

log = logging.getLogger(__name__)

_REFUSED = range(400, 500)
_UNCLEAR = (408, 409, 425, 429)  # refused for now, or because it is there already
_VALUE_LIMIT = 500  # bytes of what people are shown of a thing
_WHY_LIMIT = 300


@asynccontextmanager
async def recorded(model: StepModel, run: Run, step: Step) -> AsyncIterator[None]:
    """Raises LedgerUnwritable or OSError before anything is sent where the intent cannot be made durable."""
    entry = Entry(
        id=secrets.token_hex(8),
        at="",
        run_id=run.id,
        journey=run.journey.name,
        step=model.name,
        state="intent",
        account=run.account.user if run.account is not None else None,
    )
    entry = await asyncio.to_thread(_record, run, entry, "intent")
    try:
        yield
        value = run.text(model.creates) if model.creates is not None else None
    except Exception as error:
        await asyncio.to_thread(_settle, model, run, step, entry, error)
        raise
    except BaseException as error:  # cancelled: there is no waiting now, and what is under way stays known
        _settle(model, run, step, entry, error)
        raise
    run.made.append(await asyncio.to_thread(_record, run, entry, "created", value))


def _record(run: Run, entry: Entry, state: str, value: str | None = None, detail: str | None = None) -> Entry:
    """With what cleanup will need, as far as the run knows it by now: what has secrets in it goes into the claim."""
    if run.claim is None:
        run.claim = run.context.claims.take(run.id)
    assert run.claim is not None, "a run's id is its own"
    masker = run.masker()
    saved, kept = _for_cleanup(run, masker)
    run.claim.keep(kept)
    shown = None if value is None else masker.clip(value, _VALUE_LIMIT)
    changes = {"value": shown, "saved": saved, "kept": sorted(kept), "detail": detail}
    return run.context.ledger.record(entry, state, run.context.now(), **changes)


def _settle(model: StepModel, run: Run, step: Step, entry: Entry, error: BaseException) -> None:
    """The step did not end well: says as much as is known about what it made."""
    state = _state(run, step, error)
    value = _value(model, run)
    if state == "unknown" and value is not None and step.status is not None and step.status < 400:
        state = "created"  # it came back, and something else about the answer was wrong
    try:
        entry = replace(entry, answered=step.status is not None and step.status < 500)  # a gateway gives up first
        run.made.append(_record(run, entry, state, value, _why(error, run.masker())))
    except (LedgerUnwritable, OSError) as unwritable:  # the intent is on disk, and it stays listed
        log.error("ledger entry %s stays an intent: %s", entry.id, unwritable)
        run.made.append(entry)


def _why(error: BaseException, masker: Masker) -> str:
    """What people read beside a leftover: what was wrong with the answer, or that none came."""
    if isinstance(error, asyncio.CancelledError):
        return "the run ended before the answer was read"
    return masker.clip(str(error) or type(error).__name__, _WHY_LIMIT)


def _state(run: Run, step: Step, error: BaseException) -> str:
    if not run.session.left:
        return "void"
    status = getattr(error, "status", None) or step.status
    return "void" if status in _REFUSED and status not in _UNCLEAR else "unknown"


def _value(model: StepModel, run: Run) -> str | None:
    assert model.creates is not None
    if not model.creates.required <= run.values.keys():
        return None
    try:
        return run.text(model.creates)
    except TemplateFailed:
        return None


def _for_cleanup(run: Run, masker: Masker) -> tuple[dict[str, Any], dict[str, Any]]:
    """What another run of the cleanup could not know by itself: the saved values that it names, and `vars` that are
    others in each run. Those without a secret in them, and those with one."""
    wanted = frozenset().union(*(named(step) for step in run.journey.cleanup))
    fleeting = fleeting_vars(run.journey)
    if "vars" not in wanted:
        fleeting &= wanted
    found = {name: run.values[name] for name in {*(run.saved.keys() & wanted), *fleeting}}
    open_: dict[str, Any] = {}
    hidden: dict[str, Any] = {}
    for name, value in sorted(found.items()):
        text = to_text(value)
        (open_ if masker(text) == text else hidden)[name] = value
    return open_, hidden


def fleeting_vars(journey: Journey) -> set[str]:
    """The `vars` whose value another run would not find again."""
    names = {"now", "uuid"}
    for name, tree in journey.vars.items():
        if tree.names & names:
            names.add(name)
    return names - {"now", "uuid"}


def creator(journey: Journey, step: str) -> StepModel | None:
    """The step of this name that creates something."""
    return next((model for model in journey.steps if model.creates is not None and model.name == step), None)


def templates_of(value: Any) -> Iterator[Template | Tree]:
    """Every template in a part of a journey's model, those in its matchers apart."""
    if isinstance(value, Template | Tree):
        yield value
    elif isinstance(value, BaseModel):
        for name in value.model_fields_set:
            yield from templates_of(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from templates_of(item)


def needs(model: StepModel) -> set[str]:
    """The names that a step cannot do without."""
    parts = (getattr(model, name) for name in model.model_fields_set - {"creates"})
    return {name for part in parts for template in templates_of(part) for name in template.required}


def named(model: StepModel) -> frozenset[str]:
    """Every name that a step speaks of, in what it expects too."""
    parts = [getattr(model, name) for name in model.model_fields_set]
    names = {name for part in parts for template in templates_of(part) for name in template.names}
    return frozenset(names.union(*(matcher.required for part in parts for matcher in _matchers_of(part))))


def _matchers_of(value: Any) -> Iterator[Matcher]:
    if isinstance(value, Matcher):
        yield value
    elif isinstance(value, BaseModel):
        for name in value.model_fields_set:
            yield from _matchers_of(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _matchers_of(item)
