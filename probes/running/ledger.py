"""What runs made in the shop, and whether it was undone: an append-only file that survives a kill -9.

One JSON object a line. The lines of one `id` tell its story; the last one is where it stands:

    intent     about to be made: written before the request leaves
    created    made; `value` says what
    unknown    the request left, and no answer says whether it was made
    void       nothing was made: the request never left, or the shop refused it
    undone     cleanup has undone it
    failed     cleanup could not undo it
    dismissed  a person has said that it is taken care of, and why (`detail`)
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from probes.errors import ProbesError

SETTLED = ("void", "undone", "dismissed")
LEFT_OVER = ("intent", "created", "unknown", "failed")
UNSURE = ("intent", "unknown")  # perhaps it was made, perhaps not
COMPACT_AT = 256 << 10  # bytes; then settled entries are dropped from the file, which is read often


class LedgerUnwritable(ProbesError):
    """The ledger cannot be written, so nothing that `creates` may be sent."""

    permanent = False


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one thing stands. Instants are ISO 8601 UTC: `since` of the intent, `at` of the last change, `due` of the
    next attempt to undo it.

    `value`: for people, secrets masked. `saved`: what cleanup's templates name; `kept`: the names of those values that
    have secrets in them, and are in the run's claim instead. `attempts`: how often cleanup has tried. `detail`: the
    last trouble. `answered`: the shop is done with the request, whatever came of it.
    """

    id: str
    at: str
    run_id: str
    journey: str
    step: str
    state: str
    value: str | None = None
    account: str | None = None
    saved: Mapping[str, Any] = field(default_factory=dict)
    detail: str | None = None
    since: str = ""
    attempts: int = 0
    due: str | None = None
    kept: tuple[str, ...] = ()
    answered: bool = False

    @property
    def left(self) -> str:
        """Its state once its run is over: an intent whose answer nobody heard is unknown."""
        return "unknown" if self.state == "intent" else self.state

    @property
    def open(self) -> bool:
        return self.state not in SETTLED

    @property
    def began(self) -> datetime:
        """When the request was about to leave."""
        return _instant(self.since or self.at)

    @property
    def next_attempt(self) -> datetime | None:
        """None: as soon as its run has ended."""
        return None if self.due is None else _instant(self.due)


_FIELDS = frozenset(one.name for one in fields(Entry))
_TEXTS = ("id", "at", "run_id", "journey", "step", "state", "since")


class Ledger:
    """`path` is `.shopwatch/ledger.jsonl`. Several processes may append at once; each write is on disk on return."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._compact_at = COMPACT_AT

    def record(self, entry: Entry, state: str, now: datetime, **changes: Any) -> Entry:
        """Appends `entry` in its new `state`, and returns it so. Raises LedgerUnwritable."""
        entry = replace(entry, state=state, at=now.isoformat(), since=entry.since or now.isoformat(), **changes)
        try:
            self._append(json.dumps(asdict(entry), ensure_ascii=False, default=str))
        except OSError as error:
            raise LedgerUnwritable(f"{self.path}: {error.strerror or error}") from error
        return entry

    def entries(self) -> list[Entry]:
        """Every entry as it stands now, oldest first. A line that was torn by a crash is passed over."""
        try:
            with self.path.open("rb") as file:
                return list(_fold(file).values())
        except FileNotFoundError:
            return []

    def leftovers(self) -> list[Entry]:
        """What may still be in the shop: everything neither void nor undone."""
        return [entry for entry in self.entries() if entry.open]

    def compact(self) -> None:
        """Rewrites the file without what is settled."""
        with self._locked() as descriptor, self.path.open("rb") as file:
            kept = [entry for entry in _fold(file).values() if entry.open]
            fresh = self.path.with_suffix(".new")
            with os.fdopen(_private(fresh), "w", encoding="utf-8") as out:
                out.writelines(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in kept)
                out.flush()
                os.fsync(out.fileno())
            fresh.replace(self.path)
            _sync_folder(self.path.parent)
            os.fsync(descriptor)

    def _append(self, line: str) -> None:
        with self._locked() as descriptor:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            data = (b"\n" if torn else b"") + line.encode("utf-8", "replace") + b"\n"
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
            if size == 0:
                _sync_folder(self.path.parent)
        if size > self._compact_at:
            self.compact()
            self._compact_at = max(COMPACT_AT, 2 * self.path.stat().st_size)  # much may be open still

    @contextmanager
    def _locked(self) -> Iterator[int]:
        descriptor = self._open_locked()
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _open_locked(self) -> int:
        """The file, open for appending and locked; opened anew where a compaction has just replaced it."""
        while True:
            descriptor = self._open()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                current = self.path.stat().st_ino if self.path.exists() else None
                if current == os.fstat(descriptor).st_ino:
                    return descriptor
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.path, flags, 0o600)


def _fold(lines: Any) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for line in lines:
        try:
            entry = _entry(json.loads(line))
            entries[entry.id] = entry
        except (ValueError, TypeError, RecursionError):  # torn by a crash, or no line of ours
            continue
    return entries


def _entry(data: Any) -> Entry:
    """Raises TypeError or ValueError for what is no entry; fields that a later version may write are passed over."""
    known = {name: value for name, value in data.items() if name in _FIELDS} if isinstance(data, dict) else {}
    entry = Entry(**known | {"kept": tuple(map(str, known.get("kept", ())))})
    if not (
        all(isinstance(getattr(entry, name), str) for name in _TEXTS)
        and all(isinstance(text, str | None) for text in (entry.value, entry.account, entry.detail, entry.due))
        and isinstance(entry.saved, dict)
        and type(entry.attempts) is int
        and (entry.began, entry.next_attempt)
    ):
        raise TypeError("not an entry")
    return entry


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
