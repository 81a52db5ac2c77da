"""The workspace read again while the prober runs: whole, or not at all.

What the prober holds stays: alert states, places in the schedule, leased accounts, the ledger, the spool. Runs that
are under way end as they began, with the secrets of that time.
"""

import asyncio
import copy
import gc
from collections.abc import Callable, Mapping

import structlog

from probes.errors import ProbesError
from probes.files.masking import Masker
from probes.files.watching import Marks, changes, look
from probes.files.workspace import Workspace, load_workspace
from probes.language.journey import Journey
from probes.prober.rounds import Rounds
from probes.running.context import RunContext

log = structlog.get_logger("prober")


class Reloading:
    """`workspace` and `context` are those of the present; `apply` is called with a new workspace once it is in use."""

    def __init__(
        self,
        workspace: Workspace,
        rounds: Rounds,
        context: RunContext,
        apply: Callable[[Workspace], None] = lambda _: None,
    ) -> None:
        self.workspace = workspace
        self.context = context
        self._rounds = rounds
        self._apply = apply
        self._wanted = asyncio.Event()

    def ask(self) -> None:
        """To be read again, soon; several questions at once are one."""
        self._wanted.set()

    async def serve(self, *, watch: bool) -> None:
        """Reloads when asked, and with `watch` when files have changed; until cancelled."""
        watcher = asyncio.create_task(self._watch()) if watch else None
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                try:
                    await self.reload()
                except Exception:
                    log.exception("reload broke, the old journeys run on")
        finally:
            if watcher is not None:
                watcher.cancel()

    async def reload(self) -> bool:
        """Whether the files were fit to be used; otherwise the old journeys run on, and the log says why."""
        try:
            workspace, journeys = await asyncio.to_thread(_read, self.workspace)
        except (ProbesError, OSError) as error:
            for line in str(error).splitlines():
                log.error("reload refused, the old journeys run on", problem=line)
            return False
        self._use(workspace, journeys)
        return True

    def _use(self, workspace: Workspace, journeys: list[Journey]) -> None:
        context = copy.copy(self.context)  # shares accounts, ledger and resolver with the runs that are under way
        context.use(workspace.env)
        self.workspace, self.context = workspace, context
        changed = self._rounds.replace(journeys)
        self._apply(workspace)
        gc.collect(1)  # the old journeys hold no cycles: they go by themselves, and need no walk through everything
        gc.freeze()
        log.info("journeys reloaded", journeys=len(journeys), added=list(changed.added), removed=list(changed.removed))

    async def _watch(self) -> None:
        async for _ in changes(self._look, await asyncio.to_thread(self._look)):
            self.ask()

    def _look(self) -> Marks:
        return look(self.workspace.dir, self.workspace.env.files)


def _read(workspace: Workspace) -> tuple[Workspace, list[Journey]]:
    """Raises WorkspaceInvalid."""
    fresh = load_workspace(workspace.dir, workspace.env.variables)
    return fresh, fresh.journeys()[0]


class Masks:
    """Hides the present secrets and those before them, which runs under way may still have to do with."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = dict(secrets)
        self._masker = Masker(self._secrets)

    def __call__(self, text: str) -> str:
        return self._masker(text)

    def use(self, secrets: Mapping[str, str]) -> None:
        old = {name: value for name, value in self._secrets.items() if not name.endswith(" before")}
        before = {f"{name} before": value for name, value in old.items() if secrets.get(name) != value}
        self._secrets = {**before, **secrets}
        self._masker = Masker(self._secrets)


def token_of(workspace: Workspace) -> str | None:
    """What this prober shows to the receiver of its reports."""
    return str(workspace.env.resolve("${SHOPWATCH_TOKEN:-}")) or None
