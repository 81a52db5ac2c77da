"""Steps that `creates` something in the shop: the ledger knows before the request leaves, and after it came back."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel

from probes.language.kinds import Step as StepModel
from probes.language.templates import Template, TemplateFailed, Tree
from probes.language.values import to_text
from probes.result import Step
from probes.running.ledger import Entry, LedgerUnwritable
from probes.running.run import Run

log = logging.getLogger(__name__)

_REFUSED = range(400, 500)
_UNCLEAR = (408, 409, 425, 429)  # refused for now, or because it is there already


@asynccontextmanager
async def recorded(model: StepModel, run: Run, step: Step) -> AsyncIterator[None]:
    """Raises LedgerUnwritable before anything is sent where the intent cannot be made durable."""
    entry = Entry(
        id=secrets.token_hex(8),
        at="",
        run_id=run.id,
        journey=run.journey.name,
        step=model.name,
        state="intent",
        account=run.account.user if run.account is not None else None,
    )
    entry = await asyncio.to_thread(run.context.ledger.record, entry, "intent", run.context.now())
    try:
        yield
        value = run.text(model.creates) if model.creates is not None else None
    except Exception as error:
        await asyncio.to_thread(_settle, model, run, step, entry, error)
        raise
    except BaseException as error:  # cancelled: there is no waiting now, and what is under way stays known
        _settle(model, run, step, entry, error)
        raise
    changes = {"value": value, "saved": saved_for_cleanup(run)}
    run.made.append(await asyncio.to_thread(run.context.ledger.record, entry, "created", run.context.now(), **changes))


def _settle(model: StepModel, run: Run, step: Step, entry: Entry, error: BaseException) -> None:
    """The step did not end well: says as much as is known about what it made."""
    state = _state(run, step, error)
    value = _value(model, run)
    if state == "unknown" and value is not None and step.status is not None and step.status < 400:
        state = "created"  # it came back, and something else about the answer was wrong
    changes = {"value": value, "saved": saved_for_cleanup(run), "detail": type(error).__name__}
    try:
        run.made.append(run.context.ledger.record(entry, state, run.context.now(), **changes))
    except LedgerUnwritable as unwritable:  # the intent is on disk, and it stays listed
        log.error("ledger entry %s stays an intent: %s", entry.id, unwritable)
        run.made.append(entry)


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


def saved_for_cleanup(run: Run) -> dict[str, Any]:
    """The saved values that cleanup's templates name; never one that evidence would hide."""
    hidden = {*run.secrets, *run.context.environment.secrets.values()}
    wanted = {name for step in run.journey.cleanup for part in templates_of(step) for name in part.names}
    return {name: value for name, value in run.saved.items() if name in wanted and to_text(value) not in hidden}


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
