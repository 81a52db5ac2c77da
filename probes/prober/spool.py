"""A queue on disk: records in order, kept until they are acknowledged, through crashes and a full disk.

A folder of segments, each a file of lines, and the file `acknowledged` with the position (segment, offset) up to which
all has been delivered. A crash may repeat what was delivered last, and loses only what was not asked to be durable.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

MOST_AT_ONCE = 256  # records in one write
Complain = Callable[..., object]  # called with a sentence, and facts by keyword


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes: of a segment, of all segments together, and of what is held in memory while the disk takes nothing."""

    segment: int = 1 << 20
    disk: int = 256 << 20
    memory: int = 16 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """Records as they were appended, and where the queue stands once they are acknowledged."""

    records: list[bytes]
    position: tuple[int, int] | None  # on disk
    last_in_memory: int | None = None


@dataclass(slots=True)
class _Memory:
    """What the disk would not take, each with a running number."""

    records: deque[tuple[int, bytes]] = field(default_factory=deque)
    size: int = 0
    number: int = 0
    dropped: int = 0

    def push(self, record: bytes, cap: int) -> None:
        self.number += 1
        self.records.append((self.number, record))
        self.size += len(record)
        while self.size > cap:
            self.pop()
            self.dropped += 1

    def pop(self) -> None:
        self.size -= len(self.records.popleft()[1])


class Spool:
    """Every method may be called from any thread. `complain` gets a sentence for the log whenever something is lost."""

    def __init__(self, folder: Path, complain: Complain, limits: Limits | None = None) -> None:
        self._folder = folder
        self._complain = complain
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._memory = _Memory()
        self._failing: str | None = None
        self._sizes: dict[int, int] = {}  # of the segments, oldest first
        self._file: int | None = None  # descriptor of the newest segment
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._position = self._recover()

    def append(self, records: Sequence[bytes], *, durable: bool) -> None:
        """`durable`: on the platters when this returns. A disk that is full is complained of, and memory is used."""
        with self._lock:
            held = len(self._memory.records)
            waiting = [record for _, record in self._memory.records] + list(records)
            written, error = self._write(waiting, durable)
            for _ in range(min(written, held)):
                self._memory.pop()
            for record in records[max(0, written - held) :]:
                self._memory.push(record, self._limits.memory)
            if error is not None and self._failing is None:
                self._complain("the spool cannot be written, reports are held in memory", error=str(error))
            if error is None and self._failing is not None:
                self._complain("the spool can be written again", reports_lost=self._memory.dropped)
                self._memory.dropped = 0
            self._failing = None if error is None else error.strerror or str(error)

    def peek(self, most: int, most_bytes: int = 1 << 20) -> Batch:
        """The oldest records that are not acknowledged: at most so many, and at least one if there is any."""
        with self._lock:
            records, position = self._read(most, most_bytes)
            if records:
                return Batch(records, position)
            held: list[bytes] = []
            last, size = None, 0
            for number, record in self._memory.records:
                if held and (len(held) >= most or size + len(record) > most_bytes):
                    break
                held.append(record)
                last, size = number, size + len(record)
            return Batch(held, None, last)

    def acknowledge(self, batch: Batch) -> None:
        with self._lock:
            if batch.last_in_memory is not None:
                while self._memory.records and self._memory.records[0][0] <= batch.last_in_memory:
                    self._memory.pop()
            if batch.position is not None and batch.position > self._position:
                self._position = batch.position
                self._tidy()

    @property
    def waiting(self) -> int:
        """Bytes that are not acknowledged, on disk and in memory."""
        with self._lock:
            segment, offset = self._position
            on_disk = sum(size for number, size in self._sizes.items() if number >= segment)
            return max(0, on_disk - (offset if segment in self._sizes else 0)) + self._memory.size

    @property
    def trouble(self) -> str | None:
        """Why the disk takes nothing at present; None where it does."""
        return self._failing

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _recover(self) -> tuple[int, int]:
        for path in sorted(self._folder.glob("*.jsonl")):
            if path.stem.isdigit():
                self._sizes[int(path.stem)] = path.stat().st_size
        if self._sizes:
            self._repair(max(self._sizes))
        first = min(self._sizes, default=0)
        try:
            segment, offset = (int(part) for part in (self._folder / "acknowledged").read_text().split())
        except FileNotFoundError:
            return first, 0
        except ValueError:
            self._complain("the spool's position is unreadable, reports may be sent twice")
            return first, 0
        if segment in self._sizes:
            return segment, min(max(offset, 0), self._sizes[segment])
        return max(first, segment), 0

    def _repair(self, segment: int) -> None:
        """Cuts off a last line that a crash left half-written."""
        path = self._path(segment)
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)
            self._sizes[segment] = whole
            self._complain("the spool ended in half a report, which is gone", bytes=len(data) - whole)

    def _write(self, records: list[bytes], durable: bool) -> tuple[int, OSError | None]:
        """How many of the records are on disk now, and what kept the others off it."""
        written = 0
        try:
            for start in range(0, len(records), MOST_AT_ONCE):
                chunk = records[start : start + MOST_AT_ONCE]
                self._write_lines(self._newest(durable), b"".join(record + b"\n" for record in chunk))
                written += len(chunk)
            if durable and self._file is not None:
                os.fsync(self._file)
        except OSError as error:
            return written, error
        self._shrink()
        return written, None

    def _write_lines(self, newest: int, data: bytes) -> None:
        assert self._file is not None
        try:
            done = 0
            while done < len(data):
                done += os.write(self._file, data[done:])
        except OSError:
            os.ftruncate(self._file, self._sizes[newest])
            raise
        self._sizes[newest] += len(data)

    def _newest(self, durable: bool) -> int:
        """The segment to write to, with its file open at its end."""
        newest = max(self._sizes, default=None)
        if newest is not None and self._sizes[newest] < self._limits.segment:
            if self._file is None:
                self._file = os.open(self._path(newest), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            return newest
        number = max(self._position[0], -1 if newest is None else newest) + 1
        opened = os.open(self._path(number), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._file is not None:
            os.close(self._file)
        self._file = opened
        self._sizes[number] = 0
        if durable:
            self._sync_folder()
        return number

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _shrink(self) -> None:
        """A spool that outgrows its limit gives up its oldest segment, and says so."""
        while sum(self._sizes.values()) > self._limits.disk and len(self._sizes) > 1:
            oldest = min(self._sizes)
            self._complain("the spool is full, its oldest reports are gone", bytes=self._sizes[oldest])
            self._remove(oldest)
            self._position = max(self._position, (oldest + 1, 0))

    def _read(self, most: int, most_bytes: int) -> tuple[list[bytes], tuple[int, int]]:
        segment, offset = self._position
        for number in sorted(n for n in self._sizes if n >= segment):
            start = offset if number == segment else 0
            if start >= self._sizes[number]:
                continue
            records: list[bytes] = []
            with self._path(number).open("rb") as file:
                file.seek(start)
                while len(records) < most and start < self._sizes[number]:
                    line = file.readline()
                    if records and file.tell() - (offset if number == segment else 0) > most_bytes:
                        break
                    records.append(line.rstrip(b"\n"))
                    start += len(line)
            return records, (number, start)
        return [], self._position

    def _tidy(self) -> None:
        """Notes the position, and removes segments that are wholly delivered."""
        segment, offset = self._position
        try:
            temporary = self._folder / "acknowledged.new"
            temporary.write_text(f"{segment} {offset}\n")
            temporary.replace(self._folder / "acknowledged")
        except OSError as error:
            self._complain("the spool's position cannot be noted, reports may be sent twice", error=str(error))
        for number in [n for n in self._sizes if n < segment]:
            self._remove(number)
        if offset >= self._sizes.get(segment, offset + 1) and offset >= self._limits.segment // 4:
            self._remove(segment)

    def _remove(self, number: int) -> None:
        if number == max(self._sizes) and self._file is not None:
            os.close(self._file)
            self._file = None
        del self._sizes[number]
        with suppress(FileNotFoundError):  # somebody tidied by hand
            self._path(number).unlink()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.jsonl"
