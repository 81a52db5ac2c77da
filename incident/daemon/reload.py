"""The workspace read again while the daemon runs: whole, or not at all.

Asked for by SIGHUP, by POST `/-/reload`, and by files that have changed. What was wrong is said in the log, in two
metrics and on `/-/ready`, and stays said until the files are well again.
"""

import asyncio
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from incident.channels import Channel, rebuild_channels
from incident.core.policy import RunbookFinder
from incident.daemon.outbox import Outbox
from incident.daemon.supervisor import Supervisor
from incident.desk import Desk
from incident.errors import IncidentError
from incident.settings import Settings, read_settings
from probes.errors import ProbesError
from probes.files.mistakes import WorkspaceInvalid, errors
from probes.files.watching import Marks, changes, look
from probes.files.workspace import Workspace
from runbooks.library import Library

log = structlog.get_logger("daemon")
_NEEDS_RESTART = ("host", "port")  # of `listen`


@dataclass(frozen=True)
class Read:
    """A workspace in which nothing is wrong."""

    workspace: Workspace
    settings: Settings
    library: Library


def read(workspace: Workspace) -> Read:
    """The same folder, anew: settings, journeys and runbooks. Raises WorkspaceInvalid with every mistake in them."""
    fresh = Workspace(workspace.dir, workspace.env.variables)
    settings, mistakes = read_settings(fresh)
    mistakes += fresh.journeys()[1]
    library = Library(fresh.dir)
    mistakes += library.mistakes
    if settings is None or errors(mistakes):
        raise WorkspaceInvalid(errors(mistakes))
    return Read(fresh, settings, library)


def finder(library: Library) -> RunbookFinder:
    def find(labels: Mapping[str, str]) -> list[str]:
        return [runbook.name for runbook in library.for_alert(labels)]

    return find


class Reloading:
    """`url`: where this daemon is reached, for links while no `public_url` is set."""

    def __init__(
        self,
        workspace: Workspace,
        desk: Desk,
        outbox: Outbox,
        prober: Supervisor,
        url: str,
    ) -> None:
        self._workspace = workspace
        self._desk = desk
        self._outbox = outbox
        self._prober = prober
        self._url = url
        self._wanted = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    def ask(self) -> None:
        """To be done soon, whatever comes of it; several questions at once are one."""
        self._wanted.set()

    async def run(self) -> None:
        """Reloads when asked, by SIGHUP too, and when files have changed; until cancelled."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self.ask)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch())
                await self._whenever_asked()
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    async def _whenever_asked(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.reload()
            except (IncidentError, ProbesError):  # said already
                continue
            except Exception:
                log.exception("reload broke, the old configuration runs on")

    async def reload(self) -> None:
        """Raises WorkspaceInvalid or ChannelMisconfigured, and nothing has changed then."""
        async with self._one_at_a_time:
            try:
                found = await asyncio.to_thread(read, self._workspace)
                before = self._desk.settings
                channels = rebuild_channels(found.settings, self._desk, before, self._outbox.channels)
            except (IncidentError, ProbesError, OSError) as error:
                self._refuse(str(error))
                if isinstance(error, OSError):
                    raise WorkspaceInvalid([]) from error
                raise
            await self._use(found, channels, before)

    def _refuse(self, problem: str) -> None:
        self._desk.loaded = replace(self._desk.loaded, problem=problem)
        for line in problem.splitlines():
            log.error("reload refused, the old configuration runs on", problem=line)

    async def _use(self, found: Read, channels: Mapping[str, Channel], before: Settings) -> None:
        self._workspace = found.workspace
        self._desk.base_url = found.settings.status_page.public_url or self._url
        await self._desk.reload(found.settings, finder(found.library))
        await self._outbox.use(channels)
        self._prober.tell(signal.SIGHUP)
        for name in _NEEDS_RESTART:
            if getattr(found.settings.listen, name) != getattr(before.listen, name):
                log.warning(f"listen.{name} has changed; it holds from the next start on")
        log.info("configuration reloaded", changed=_changed(before, found.settings))

    async def _watch(self) -> None:
        async for _ in changes(self._look, await asyncio.to_thread(self._look)):
            self.ask()

    def _look(self) -> Marks:
        return look(self._workspace.dir, self._workspace.env.files)


def _changed(before: Settings, now: Settings) -> list[str]:
    """Which parts of shopwatch.yaml say something else than before."""
    return [name for name in Settings.model_fields if getattr(before, name) != getattr(now, name)]
