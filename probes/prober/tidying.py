"""What runs have left in the shop, undone in the background: one prober of a workspace at a time looks after it.

All that is to happen later stands in the ledger (`due`), so that a restart goes on where the last process was.
"""

import asyncio
import fcntl
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import structlog

from probes.errors import ProbesError
from probes.language.journey import Journey
from probes.prober.standing import Said
from probes.running.context import RunContext
from probes.running.ledger import Entry, Ledger
from probes.running.leftovers import is_due, obstacle
from probes.running.retrying import undo

log = structlog.get_logger("prober")

ALERT = "ProbeLeftovers"
SEVERITY = "SEV3"
LOOK_EVERY = 1.0  # seconds
AT_ONCE = 4  # runs that are cleaned up after at the same time
LATER = 5.0  # seconds until somebody else's turn, or an account in use, is looked at again
_SHOWN = 5  # journeys in the alert


class Tidying:
    """`context` and `journeys` are asked anew each time, as a reload may change them. `limit` is
    `limits.max_leftovers`."""

    def __init__(
        self,
        context: Callable[[], RunContext],
        journeys: Callable[[], Mapping[str, Journey]],
        limit: int,
        say: Callable[[str, Said | None], None],
        *,
        location: str = "local",
    ) -> None:
        self._context = context
        self._journeys = journeys
        self.limit = limit
        self._say = say
        self._location = location
        self._said: Said | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by run
        self._busy_with: dict[str, str] = {}  # by run: its journey
        self._not_before: dict[str, float] = {}  # by run: loop.time()
        self._file = _LedgerFile()
        self._known: Mapping[str, Journey] = {}
        self._in_vain: dict[str, str] = {}  # by entry: why it is not tried
        self._warned: dict[str, str] = {}  # by entry: what was said about it
        self._counts: dict[str, Counter[str]] = {}
        self._ever: set[str] = set()

    @property
    def busy(self) -> bool:
        return bool(self._tasks)

    def counts(self, journey: str) -> dict[str, int] | None:
        """How many things of a journey are left, by their state; None where none ever were while this prober looked
        after them."""
        return dict(self._counts.get(journey, {})) if journey in self._ever else None

    async def serve(self) -> None:
        """Until cancelled; what is under way then is known to the ledger, and goes on after the next start."""
        while True:
            try:
                await self._take_turn()
            except OSError as error:  # of the state folder: full, read-only, somebody else's
                log.error("nobody looks after what is left in the shop", error=str(error))
                await asyncio.sleep(LATER)

    async def _take_turn(self) -> None:
        turn = await _turn(self._context().state / "tidying.lock")
        try:
            while True:
                await self.look()
                await asyncio.sleep(LOOK_EVERY)
        finally:
            for task in list(self._tasks.values()):
                task.cancel()
            await asyncio.gather(*list(self._tasks.values()), return_exceptions=True)
            os.close(turn)

    async def look(self) -> None:
        """Starts what is due, and says how much is left. Raises OSError."""
        context, journeys = self._context(), self._journeys()
        changed = await asyncio.to_thread(self._file.read, context.ledger)
        if changed or journeys is not self._known:
            self._known = journeys
            whys = ((entry.id, obstacle(entry, journeys)) for entry in self._file.entries)
            self._in_vain = {entry_id: why for entry_id, why in whys if why is not None}
        left = [entry for entry in self._file.entries if not self._goes_on(entry, context)]
        self._warn(left)
        self._counts = _by_journey(left)
        self._ever |= self._counts.keys()
        said = self._alert(left)
        if said != self._said:
            self._said = said
            self._say("leftovers", said)
        for run_id, journey in self._due(left, context.now()):
            self._tasks[run_id] = asyncio.create_task(self._undo(run_id, context, journeys))
            self._busy_with[run_id] = journey

    def _warn(self, left: Sequence[Entry]) -> None:
        """Once about each thing that nothing will undo; not while its run goes on, which may well do so itself."""
        for entry in left:
            why = self._in_vain.get(entry.id)
            if why is not None and self._warned.get(entry.id) != why:
                log.warning("something may be left in the shop", id=entry.id, journey=entry.journey, why=why)
        self._warned = {entry.id: self._in_vain[entry.id] for entry in left if entry.id in self._in_vain}

    def _goes_on(self, entry: Entry, context: RunContext) -> bool:
        """Its run has not ended yet: nobody knows what it will leave."""
        return entry.run_id not in self._tasks and context.claims.taken(entry.run_id)

    def _due(self, left: Sequence[Entry], now: datetime) -> list[tuple[str, str]]:
        """Runs to clean up after now, each with its journey, the longest overdue first."""
        at = asyncio.get_running_loop().time()
        due = [entry for entry in left if entry.id not in self._in_vain and is_due(entry, now)]
        due.sort(key=lambda entry: entry.next_attempt or entry.began)
        self._not_before = {run_id: until for run_id, until in self._not_before.items() if until > at}
        chosen: list[tuple[str, str]] = []
        room = Counter({name: _at_once(journey) for name, journey in self._known.items()})
        room.subtract(self._busy_with.values())
        for run_id, journey in dict.fromkeys((entry.run_id, entry.journey) for entry in due):
            if run_id in self._tasks or run_id in self._not_before or room[journey] <= 0:
                continue
            chosen.append((run_id, journey))
            room[journey] -= 1
        return chosen[: AT_ONCE - len(self._tasks)]

    async def _undo(self, run_id: str, context: RunContext, journeys: Mapping[str, Journey]) -> None:
        mine = True
        try:
            mine = await undo(run_id, journeys, context)
        except (ProbesError, OSError) as error:
            log.error("cleaning up once more is not possible", run=run_id, error=str(error))
            mine = False
        except Exception:  # a defect of ours must not be repeated every second
            log.exception("cleaning up once more broke", run=run_id)
            mine = False
        finally:
            del self._tasks[run_id], self._busy_with[run_id]
        if not mine:
            self._not_before[run_id] = asyncio.get_running_loop().time() + LATER

    def _alert(self, left: Sequence[Entry]) -> Said | None:
        if len(left) <= self.limit:
            return None
        journeys = Counter(entry.journey for entry in left).most_common()
        named = ", ".join(f"{name}: {count}" for name, count in journeys[:_SHOWN])
        more = f" and {len(journeys) - _SHOWN} more journeys" if len(journeys) > _SHOWN else ""
        last = max(left, key=lambda entry: entry.at)
        trouble = self._in_vain.get(last.id) or last.detail or "they have not been tried yet"
        labels = {"alertname": ALERT, "severity": SEVERITY, "location": self._location}
        annotations = {
            "summary": f"{len(left)} things that journeys made may be left in the shop; the limit is {self.limit}",
            "journeys": named + more,
            "seen": f"{last.journey}, {last.step}: {trouble}"[:1000],
            "command": "shopwatch probe leftovers",
        }
        return Said(labels, annotations)


def _at_once(journey: Journey) -> int:
    """Runs of one journey that may be cleaned up after together: where the shop hangs, an account is left for those
    that find out."""
    return max(1, len(journey.accounts) - 1) if journey.accounts else AT_ONCE


class _LedgerFile:
    """The open entries, read again only when the file is another one than before."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._mark: tuple[int, int, int] | None = None

    def read(self, ledger: Ledger) -> bool:
        """Whether it was read anew. Raises OSError."""
        try:
            stat = ledger.path.stat()
            mark = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        except FileNotFoundError:
            mark = (0, 0, 0)
        if mark == self._mark:
            return False
        self.entries = ledger.leftovers()
        self._mark = mark
        return True


def _by_journey(entries: Sequence[Entry]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for entry in entries:
        counts.setdefault(entry.journey, Counter())[entry.left] += 1
    return counts


async def _turn(path: Path) -> int:
    """Waits until no other prober of this workspace tidies up."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                await asyncio.sleep(LOOK_EVERY)
    except BaseException:
        os.close(descriptor)
        raise
