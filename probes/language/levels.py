"""How deep a step writes into the shop, so that `limits.mutates` can keep a run from going deeper. Pure."""

from probes.files.settings import MUTATES, Mutates
from probes.language.journey import Journey
from probes.language.kinds import Step

_READS = frozenset({"get", "head"})
_WRITES = frozenset({"http", "submit"})


def deeper(one: Mutates, other: Mutates) -> bool:
    return MUTATES.index(one) > MUTATES.index(other)


def lower(one: Mutates, other: Mutates) -> Mutates:
    return min(one, other, key=MUTATES.index)


def level_of(step: Step, journey: Journey) -> Mutates:
    """What the step says itself; else what follows from it and from its journey.

    What `creates` something goes as deep as its journey. What only reads, or signs an account in, writes nothing. Any
    other request leads up to the journey's depth: it counts as `cart` where a step is known to get there (because it
    creates something, or says so), and else as the journey's depth, because it may be the one that does.
    """
    if step.mutates is not None:
        return step.mutates
    if step.creates is not None:
        return journey.mutates if journey.mutates != "none" else "order"
    if step.kind not in _WRITES or step.verb in _READS or _signs_in(step):
        return "none"
    return "cart" if deeper(journey.mutates, "cart") and reaches_its_depth(journey) else journey.mutates


def reaches_its_depth(journey: Journey) -> bool:
    """Whether it is known which step does."""
    return any(step.creates is not None or step.mutates == journey.mutates for step in journey.steps)


def _signs_in(step: Step) -> bool:
    fields = [*(step.form or {}).values(), *step.fields.values(), *(part for part in (step.json_, step.body) if part)]
    return any("account.password" in str(part.source) for part in fields)
