"""Accounts leased per run, so that two runs never share a shopper: across journeys, and across processes.

A lease is an `flock` on a file of the workspace's state folder, so it ends with its process, however that dies.
"""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from probes.errors import ProbesError

POLL_S = 0.05  # how often a waiting run looks whether another process has given an account back


class NoFreeAccount(ProbesError):
    """Every account of the journey stayed leased to other runs until the run's time was up."""

    permanent = False


class Lease:
    """One leased user. `release` may be called more than once."""

    def __init__(self, pool: "AccountPool", user: str, index: int, descriptor: int) -> None:
        self.user = user
        self.index = index  # which of the accounts that were asked for
        self._pool = pool
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)  # closing it ends the flock
            self._pool.given_back(self.user)


class AccountPool:
    """The leases of one workspace; `folder` is `.shopwatch/accounts`. Lock files stay: removing one would race."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: set[str] = set()  # by this process, so that it need not ask the file system
        self._waiting: set[asyncio.Future[None]] = set()

    async def lease(self, users: Sequence[str], deadline: float) -> Lease:
        """The first free user in the order given; waits until `deadline` (loop.time()). Raises NoFreeAccount.

        OSError where the state folder cannot be written to.
        """
        loop = asyncio.get_running_loop()
        while True:
            lease = self.try_lease(users)
            if lease is not None:
                return lease
            remaining = deadline - loop.time()
            if remaining <= 0:
                raise NoFreeAccount(f"{_all(users)} leased to other runs: add accounts, or run the journeys less often")
            await self._wait(min(POLL_S, remaining))

    def try_lease(self, users: Sequence[str]) -> Lease | None:
        """The first free user now, or None."""
        for index, user in enumerate(users):
            if user in self._held:
                continue
            descriptor = self._open(hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest())
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                if not isinstance(error, BlockingIOError):
                    raise
            else:
                self._held.add(user)
                return Lease(self, user, index, descriptor)
        return None

    def given_back(self, user: str) -> None:
        """Wakes the runs of this process that wait; other processes look by themselves."""
        self._held.discard(user)
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def _wait(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait([future], timeout=seconds)
        finally:
            self._waiting.discard(future)

    def _open(self, name: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self._folder / f"{name}.lock", flags, 0o600)
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._folder / f"{name}.lock", flags, 0o600)


def _all(users: Sequence[str]) -> str:
    return f"the only account, {users[0]}, is" if len(users) == 1 else f"all {len(users)} accounts are"
