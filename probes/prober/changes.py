"""What a reload changes about the journeys that run."""

from collections.abc import Mapping
from dataclasses import dataclass

from probes.language.journey import Journey


@dataclass(frozen=True)
class Changes:
    """Names of journeys. `paced`: those that stay, at another interval."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    paced: tuple[str, ...] = ()


def compare(old: Mapping[str, Journey], new: Mapping[str, Journey]) -> Changes:
    return Changes(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        paced=tuple(name for name in new if name in old and new[name].every != old[name].every),
    )
