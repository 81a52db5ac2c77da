"""A prober, put together of its parts. Imported once its arguments are known to be good: it is all of `probes`."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from probes.files.workspace import Workspace
from probes.language.journey import Journey
from probes.prober.doubts import Doubts
from probes.prober.heartbeat import Heartbeat, agreeing
from probes.prober.on_demand import OnDemand
from probes.prober.reload import Masks, Reloading, token_of
from probes.prober.report import Reporter
from probes.prober.rounds import GOODBYE, Rounds
from probes.prober.tidying import Tidying
from probes.result import Result
from probes.running.context import RunContext
from probes.running.runner import run_journey


class Prober:
    """Runs the journeys in rounds, reports what they say, tidies up after them, and follows its workspace's changes.

    `state`: the file in which it remembers what it has said.
    """

    def __init__(
        self, workspace: Workspace, journeys: list[Journey], report_to: str, location: str, state: Path
    ) -> None:
        settings = workspace.settings()
        self._location = location
        self._reporter = Reporter(report_to, token_of(workspace), workspace.state / "spool" / location)
        self._context = RunContext(
            workspace.state, workspace.env, mutates=settings.limits.mutates, measures=settings.measures()
        )
        self.masks = Masks(workspace.env.secrets)
        self._doubts = Doubts(location, settings.prober.reference)
        self._rounds = Rounds(journeys, self._run, self._reporter, state, location=location, doubts=self._doubts)
        self.reloading = Reloading(workspace, self._rounds, self._context, self._reloaded)
        self._tidying = Tidying(
            lambda: self.reloading.context,
            lambda: self._rounds.journeys,
            settings.limits.max_leftovers,
            self._rounds.say,
            location=location,
        )

    async def serve(
        self, stop: asyncio.Event, *, watch: bool, on_demand: socket.socket | None, ready: Callable[[], None]
    ) -> None:
        """Until `stop` is set. `watch`: the workspace's files are looked at for changes. `on_demand`: where runs are
        asked for. `ready` is called when everything is set up."""
        heartbeat = Heartbeat(self._reporter, self._location, self._vitals)
        parts = [self.reloading.serve(watch=watch), self._tidying.serve(), heartbeat.run()]
        if on_demand is not None:
            parts.append(OnDemand(lambda: self._rounds.journeys, self._run).serve(on_demand))
        helpers = [asyncio.create_task(part) for part in parts]
        ready()
        try:
            await self._rounds.serve(stop)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.wait(helpers, timeout=GOODBYE)  # what is under way then, the ledger knows
            await self._context.aclose()

    async def _run(self, journey: Journey) -> Result:
        result = await run_journey(journey, self.reloading.context, location=self._location)
        result.leftovers = self._tidying.counts(journey.name)
        return result

    def _reloaded(self, workspace: Workspace) -> None:
        settings = workspace.settings()
        self._reporter.use_token(token_of(workspace))
        self.masks.use(workspace.env.secrets)
        self._tidying.limit = settings.limits.max_leftovers
        self.reloading.context.mutates = settings.limits.mutates
        self.reloading.context.measures = settings.measures()
        self._doubts.references = settings.prober.reference

    def _vitals(self) -> dict[str, Any]:
        """What a heartbeat says."""
        left = sum(sum((self._tidying.counts(name) or {}).values()) for name in self._rounds.journeys)
        numbers = {"journeys": len(self._rounds.journeys), "leftovers": left, "waiting": self._reporter.waiting}
        vitals = {**numbers, "troubles": self._rounds.doubts.troubles}
        return {**vitals, **agreeing(self._rounds.journeys.values())}
