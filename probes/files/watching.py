"""Have the files of a workspace changed, and are they whole again? By looking at them from time to time.

An editor may write a file in pieces, or take it away and put another in its place: a change counts once nothing has
moved for a while, and a file that is gone only after longer.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

POLL = 1.0  # seconds between looks
SETTLE = 0.9  # seconds without any change before it counts
GONE = 4.0  # the same, where a file is missing that was there

FOLDERS: Mapping[str, tuple[str, ...]] = {"probes": (".yaml", ".yml"), "runbooks": (".md",)}

Mark = tuple[int, int, int]
"""Of one file: modified (ns), size, inode."""
Marks = Mapping[str, Mark]


def look(folder: Path, further: Iterable[Path] = ()) -> dict[str, Mark]:
    """The marks of `shopwatch.yaml`, of the files in `probes/` and `runbooks/`, and of `further` ones; those that
    cannot be looked at are missing."""
    paths = [folder / "shopwatch.yaml", *further]
    for name, endings in FOLDERS.items():
        try:
            inside = list((folder / name).iterdir())
        except OSError:  # no such folder, or not for us: then there is nothing in it
            continue
        paths += [path for path in inside if path.suffix in endings and not path.name.startswith(".")]
    marks = {}
    for path in paths:
        try:
            seen = path.stat()
        except OSError:  # gone in between
            continue
        marks[str(path)] = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
    return marks


@dataclass
class Settling:
    """The pure part. `known`: the files as they were when they were last read."""

    known: Marks
    settle: float = SETTLE
    gone: float = GONE
    _last: Marks = field(init=False)
    _since: float = field(init=False, default=float("-inf"))

    def __post_init__(self) -> None:
        self._last = self.known

    def changed(self, marks: Marks, now: float) -> bool:
        """True once for a change that has settled. `now` is any clock's reading, in seconds."""
        if marks != self._last:
            self._last, self._since = marks, now
        if marks == self.known:  # nothing, or it came back as it was
            return False
        wait = self.gone if self.known.keys() - marks.keys() else self.settle
        if now - self._since < wait:
            return False
        self.known = marks
        return True


async def changes(look_again: Callable[[], Marks], known: Marks, *, poll: float = POLL) -> AsyncIterator[None]:
    """One for each settled change since `known`, for ever."""
    loop = asyncio.get_running_loop()
    settling = Settling(known, min(SETTLE, poll))
    while True:
        await asyncio.sleep(poll)
        if settling.changed(await asyncio.to_thread(look_again), loop.time()):
            yield
