"""What an incident remembers of each of its alerts: its sort, shared by all that are alike. Pure.

A storm has thousands of alerts and few sorts, so that events and the state stay small. In events `sorts` lists them and
`sort_of` says, for each of the event's fingerprints in their order, which one it has (-1: not known).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

MOST = 200  # sorts of one incident that tell locations and steps apart; hostile labels may have any number


class Sort(NamedTuple):
    """`down`: it says that something does not work, rather than that it is slow or may break."""

    service: str
    severity: str
    location: str = ""
    step: str = ""
    down: bool = False


Sorts = tuple[Sort, ...]


def told_again(fingerprints: Iterable[str], sorts: Sorts, known: Mapping[str, int]) -> dict[str, Any]:
    """For the data of an event with which alerts go over to another incident."""
    return {"sorts": [list(sort) for sort in sorts], "sort_of": [known.get(key, -1) for key in fingerprints]}


def learned(
    sorts: Sorts,
    known: Mapping[str, int],
    fingerprints: Sequence[str],
    data: Mapping[str, Any],
    root: str | None = None,
) -> tuple[Sorts, dict[str, int]]:
    """What is known after an event with these fingerprints. `root`: they count as this service's, whatever they are."""
    heard = [Sort(*each) for each in data.get("sorts", ())]
    which = data.get("sort_of")
    if which is None:  # written before sorts were kept
        services = data.get("services", ())
        if len(services) != 1:
            return sorts, dict(known)
        heard, which = [Sort(services[0], "SEV4")], [0] * len(fingerprints)
    all_sorts = dict(zip(sorts, range(len(sorts)), strict=True))
    places = []
    for sort in heard:
        wanted = sort if root is None else sort._replace(service=root)
        if len(all_sorts) >= MOST and wanted not in all_sorts:
            wanted = wanted._replace(location="", step="")
        places.append(all_sorts.setdefault(wanted, len(all_sorts)))
    more = {key: places[place] for key, place in zip(fingerprints, which, strict=True) if place >= 0}
    return tuple(all_sorts), {**known, **more}


def from_json(listed: Iterable[Sequence[Any]]) -> Sorts:
    return tuple(Sort(*each) for each in listed)
