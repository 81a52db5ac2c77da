"""Keeps one child process running: starts it, restarts it with back-off when it dies, ends it when asked."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from incident.daemon.prober_line import ProberLine

log = structlog.get_logger("supervisor")


@dataclass(frozen=True)
class Patience:
    """Seconds: the first pause before a restart, the longest, how long a child must have lived for the pause to be
    the first again, and how long it may take to end."""

    first: float = 0.5
    longest: float = 30.0
    well: float = 60.0
    ending: float = 1.0


class Supervisor:
    """`command` is started with a pipe as its standard input, which closes when this process is gone (see
    probes.lifeline), and writes to our standard error. With a `line` it is given an end of that, as `--control FD`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        patience: Patience | None = None,
        line: ProberLine | None = None,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.env = dict(env)
        self.patience = patience or Patience()
        self.pid: int | None = None
        self.starts = 0
        self.line = line
        self.sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self) -> None:
        """Until cancelled; the child is ended then, and has ended when this returns."""
        pause = self.patience.first
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            how = await self._once()
            if loop.time() - began >= self.patience.well:
                pause = self.patience.first
            log.error("child ended", child=self.name, how=how, restart_in_s=pause)
            await self.sleep(pause)
            pause = min(pause * 2, self.patience.longest)

    def tell(self, number: signal.Signals) -> None:
        """Sends the child a signal, if there is one just now: one that starts later needs none."""
        if self.pid is not None:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    async def _once(self) -> str:
        """One life of the child; how it ended, in words."""
        try:
            child = await self._start()
        except OSError as error:
            return f"cannot be started: {error}"
        self.pid = child.pid
        self.starts += 1
        log.info("child started", child=self.name, pid=child.pid)
        try:
            code = await child.wait()
        finally:
            await self._end(child)
            if self.line is not None:
                self.line.close()
            self.pid = None
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

    async def _start(self) -> asyncio.subprocess.Process:
        if self.line is None:
            return await self._spawn(())
        with await self.line.hand_down() as theirs:
            return await self._spawn((theirs.fileno(),), "--control", str(theirs.fileno()))

    async def _spawn(self, handed_down: Sequence[int], *more: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.command,
            *more,
            stdin=asyncio.subprocess.PIPE,
            stdout=2,
            env=self.env,
            start_new_session=True,
            pass_fds=handed_down,
        )

    async def _end(self, child: asyncio.subprocess.Process) -> None:
        if child.returncode is None:
            child.terminate()
            try:
                async with asyncio.timeout(self.patience.ending):
                    await child.wait()
            except TimeoutError:
                log.warning("child did not end in time, killed", child=self.name, pid=child.pid)
                child.kill()
                await child.wait()
        if child.stdin is not None:
            child.stdin.close()
