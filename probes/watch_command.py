"""`shopwatch probe run --watch`: the journey again each time that a file has changed, until Ctrl-C."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import click

from probes.files.watching import Marks, changes, look
from probes.result import Outcome, Result, Step
from probes.terminal import clean, paint
from probes.waterfall import milliseconds

_POLL = 0.3  # seconds: somebody is waiting for it


def watch(once: Callable[[], Result | None], folder: Path, further: Sequence[Path]) -> NoReturn:
    """`once` runs the journey and shows it, or returns None where the files cannot be used, which it has said. After
    each run but the first, what is another than before is said last."""

    def look_again() -> Marks:
        return look(folder, further)

    known = look_again()
    before = once()
    while True:
        click.echo("\nwaiting for a change (Ctrl-C ends it)", err=True)
        known = _next_change(look_again, known)
        now = once()
        if now is not None and before is not None:
            _compare(before, now)
        before = now or before


def _next_change(look_again: Callable[[], Marks], known: Marks) -> Marks:
    async def wait() -> None:
        async for _ in changes(look_again, known, poll=_POLL):
            return

    asyncio.run(wait())
    return look_again()


def _compare(before: Result, now: Result) -> None:
    """What has become of each step since the last run."""
    old = {step.name: step for step in before.steps}
    lines = [line for step in now.steps for line in [_changed(old.get(step.name), step)] if line]
    gone = [name for name in old if name not in {step.name for step in now.steps}]
    lines += [f"{clean(name)}: no longer a step" for name in gone]
    click.echo("\nsince the last run: " + ("nothing has changed" if not lines else ""))
    for line in lines:
        click.echo(f"  {line}")


def _changed(before: Step | None, now: Step) -> str | None:
    took = "" if now.outcome is Outcome.SKIPPED else f" after {milliseconds(now.duration_s)}"
    if before is None:
        return f"{clean(now.name)}: new, {paint(str(now.outcome))}{took}"
    if (before.outcome, before.reason, before.seen) == (now.outcome, now.reason, now.seen):
        return None
    if before.outcome is now.outcome and now.reason is not None:
        return f"{clean(now.name)}: still {paint(str(now.outcome))}, {now.reason}: expected {clean(now.expected or '')}"
    return f"{clean(now.name)}: {before.outcome} before, now {paint(str(now.outcome))}{took}"
