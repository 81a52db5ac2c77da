"""Whose turn it is with what a run has made: the run itself while it goes on, afterwards whoever undoes what it left.

A claim is an `flock` on a file of its own (`.shopwatch/claims/`), so it ends with its process, however that dies: two
never clean up after the same run, not in two processes either. The file also keeps those saved values that cleanup
needs and the ledger may not show, because secrets are in them; it goes when nothing is left to undo.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LIMIT = 1 << 20  # bytes of kept values


class Claim:
    """One run's. `release` may be called more than once."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor: int | None = descriptor
        self._keeps = os.fstat(descriptor).st_size > 0

    def keep(self, values: Mapping[str, Any]) -> None:
        """In place of what was kept before; on disk on return. Raises OSError."""
        assert self._descriptor is not None, "a claim that was released keeps nothing"
        if not values and not self._keeps:
            return
        data = json.dumps(dict(values), ensure_ascii=False, default=str).encode("utf-8", "replace")
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, data, 0)
        os.fsync(self._descriptor)
        self._keeps = True

    def kept(self) -> dict[str, Any]:
        """Nothing where a crash has torn it."""
        assert self._descriptor is not None, "a claim that was released keeps nothing"
        try:
            values = json.loads(os.pread(self._descriptor, _LIMIT, 0) or b"{}")
        except (ValueError, RecursionError):
            return {}
        return values if isinstance(values, dict) else {}

    def release(self, *, settled: bool) -> None:
        """`settled`: nothing of the run is open any more, so that what was kept can go."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        try:
            if settled or not self._keeps:
                self._path.unlink(missing_ok=True)  # before the lock ends: the next one makes a file of its own
        finally:
            os.close(descriptor)


class Claims:
    """Those of one workspace; `folder` is `.shopwatch/claims`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, run_id: str) -> Claim | None:
        """None while somebody else has it. Raises OSError where the state folder cannot be written to."""
        path = self._path(run_id)
        while True:
            descriptor = _open(path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(descriptor, path):
                    return Claim(path, descriptor)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def taken(self, run_id: str) -> bool:
        """Whether the run still goes on, or somebody cleans up after it at this moment."""
        try:
            descriptor = os.open(self._path(run_id), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _path(self, run_id: str) -> Path:
        return self._folder / hashlib.sha256(run_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)


def _is_at(descriptor: int, path: Path) -> bool:
    """False where whoever had the claim before has taken its file away."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
