"""How `--trace` looks: each step with what it sent over the network, phase by phase, and the answer it failed on."""

from collections.abc import Iterator, Sequence

import click

from probes.result import PHASES, Result, Step
from probes.running.session import Hop
from probes.terminal import clean, paint

_MARKS = {"resolve": ".", "connect": "-", "tls": "=", "processing": "#", "transfer": "+"}
_WIDTH = 40  # of a bar, in characters
_NAME = 60


def waterfall(result: Result, hops: Sequence[Hop]) -> None:
    """A bar for each exchange, from the first byte of the run to the last; redirects and repetitions have their own."""
    start = hops[0].at
    whole = max(hop.at - start + sum(hop.phases.values()) for hop in hops) or 1.0
    marks = ", ".join(f"{mark} {phase}" for phase, mark in _MARKS.items())
    click.echo(f"\n0{milliseconds(whole):>{_WIDTH - 1}}   {marks}")
    left = list(hops)
    for step in (*result.steps, *result.cleanup):
        mine = _taken(step, left)
        if mine:
            click.echo(f"{' ' * _WIDTH}   {clean(step.name)[:_NAME]}: {paint(str(step.outcome))}")
        for hop in mine:
            _line(hop, start, whole)
    for hop in left:  # of no step that is in the result
        _line(hop, start, whole)


def _taken(step: Step, left: list[Hop]) -> list[Hop]:
    """Those at the front that are this step's."""
    count = next((at for at, hop in enumerate(left) if hop.step != step.name), len(left))
    mine, left[:] = left[:count], left[count:]
    return mine


def _line(hop: Hop, start: float, whole: float) -> None:
    bar = "".join(_bar(hop, start, whole))[:_WIDTH]
    status = hop.status if hop.status is not None else "-"
    times = ", ".join(f"{phase} {milliseconds(hop.phases[phase])}" for phase in PHASES if phase in hop.phases)
    size = f", {hop.body_bytes:,} bytes" if hop.body_bytes else ""
    click.echo(f"{bar:{_WIDTH}}     {status} {clean(hop.method)} {clean(hop.url)}  ({times}{size})")


def _bar(hop: Hop, start: float, whole: float) -> Iterator[str]:
    scale = _WIDTH / whole
    at = hop.at - start
    begin = drawn = min(int(at * scale), _WIDTH - 1)
    yield " " * begin
    for phase, seconds in hop.phases.items():
        at += seconds
        length = max(1, round(at * scale) - drawn) if seconds * scale >= 0.5 else 0
        drawn += length
        yield _MARKS.get(phase, "?") * length
    if drawn == begin and hop.phases:  # too short for the scale, and yet it was there
        yield _MARKS.get(max(hop.phases, key=lambda phase: hop.phases[phase]), "?")


def around(text: str) -> None:
    """The answer around what was expected, set off by a line at its side."""
    click.echo("  around it")
    for line in clean(text, keep="\n").splitlines():
        click.echo(f"    | {line[:200]}")


def milliseconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
