"""Conducts one drill: checks the hypothesis, breaks, watches, answers, mends, grades.

Whatever happens in between, the fault is taken out; should this process be killed, the fault's lease ends it.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from drills.errors import DrillsError, Refused
from drills.model import Drill
from drills.practice.calling import CallFailed
from drills.practice.launch import PracticeFailed, clear_switches, set_switch
from drills.responder import Responder
from drills.scorecard import Observed, Scorecard, Verdict, grade, measure
from drills.target import Shop
from drills.watch import Json, Snapshot, Watch
from incident.client import Answered, Client, Unreachable
from runbooks.library import Library

PATIENCE = 60.0  # seconds until the hypothesis must hold
BEAT = 0.2  # seconds between two looks
SPARE = 60.0  # seconds that the drill's window outlasts its faults: for recovery
_WORST = ("SEV1", "SEV2")


class Stopped(DrillsError):
    """The drill ends here, with this verdict."""

    def __init__(self, verdict: Verdict, why: str) -> None:
        super().__init__(why)
        self.verdict = verdict


class Conductor:
    """One drill against a practice shop, watched by the Shopwatch that `client` talks to."""

    def __init__(
        self,
        drill: Drill,
        client: Client,
        library: Library,
        shop: Shop,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.drill, self.client, self.library, self.shop, self.say = drill, client, library, shop, say
        self.watch = Watch(client)
        self.before = self.watch.last  # what Shopwatch showed when the fault was put in
        self.seen = Observed()
        self.fails: dict[str, list[str]] = {}

    async def run(self) -> Scorecard:
        """Raises Refused, and incident.client's errors where Shopwatch cannot be asked."""
        started = datetime.now(UTC)
        await self._may_run(started)
        stopped: tuple[Verdict, str] | None = None
        number = None
        try:
            await self._hypothesis()
            number = await self._open()
            async with Responder(self.client, self.library) as responder:
                try:
                    await self._break()
                    await self._respond(responder)
                finally:
                    await self._mend()
                await self._recover(responder)
        except Stopped as stop:
            stopped = (stop.verdict, str(stop))
        except (asyncio.CancelledError, Answered) as error:
            stopped = ("aborted", str(error) or "stopped by hand")
            with contextlib.suppress(Unreachable, Answered):
                await self._close(number, self._grade(started, stopped))
            raise
        card = self._grade(started, stopped)
        await self._close(number, card)
        return card

    def _grade(self, started: datetime, stopped: tuple[Verdict, str] | None) -> Scorecard:
        return grade(self.drill, self.seen, started, datetime.now(UTC), stopped)

    async def _may_run(self, now: datetime) -> None:
        zone = ZoneInfo(self.drill.tz) if self.drill.tz else None
        if self.drill.frozen_on(now.astimezone(zone).date()):
            raise Refused(f"{self.drill.name} is frozen today: see `freeze` in its file")
        snapshot = await self.watch.look()
        for incident in snapshot.incidents:
            if incident["status"] != "resolved" and not incident["drill"] and incident["severity"] in _WORST:
                raise Refused(f"incident #{incident['number']} is open ({incident['severity']}): no drill meanwhile")

    @property
    def _journeys(self) -> list[str]:
        proven = [fault.proves.journey for fault in self.drill.faults if fault.proves and fault.proves.is_ != "up"]
        return list(dict.fromkeys([*self.drill.hypothesis, *proven]))

    async def _hypothesis(self) -> None:
        """Waits until every journey that the drill speaks of is up."""
        self.say(f"waiting until {', '.join(self._journeys)} are up")
        late = await self._until(lambda s: not self._not_up(s), PATIENCE)
        if late:
            raise Stopped("invalid", not_up_words(self.watch.last, self._not_up(self.watch.last)))

    def _not_up(self, snapshot: Snapshot, since: datetime | None = None) -> list[str]:
        return [name for name in self._journeys if snapshot.outcome(name, since) != "up"]

    async def _until(self, holds: Callable[[Snapshot], bool], seconds: float) -> bool:
        """Looks until `holds`; True when that took too long."""
        end = asyncio.get_running_loop().time() + seconds
        while not holds(await self.watch.look()):
            if asyncio.get_running_loop().time() > end:
                return True
            await asyncio.sleep(BEAT)
        return False

    async def _open(self) -> int:
        """Tells Shopwatch that what happens now is a drill's doing."""
        until = datetime.now(UTC) + timedelta(seconds=self._lease + SPARE)
        window = {"name": self.drill.name, "target": self.drill.target, "until": until.isoformat()}
        made = await asyncio.to_thread(self.client.post, "/api/v1/drills", window)
        return int(made["number"])

    @property
    def _lease(self) -> float:
        return max(fault.lease for fault in self.drill.faults)

    async def _break(self) -> None:
        self.before = await self.watch.look()
        for fault in self.drill.faults:
            for name, value in (fault.shop or {}).items():
                self.say(f"breaking the shop: {name} = {value}")
                try:
                    await set_switch(self.shop.url, self.shop.token, name, value, fault.lease)
                except (PracticeFailed, CallFailed) as error:
                    raise Stopped("invalid", f"the fault could not be put in: {error}") from None
        self.seen.fault_in = datetime.now(UTC)

    async def _respond(self, responder: Responder) -> None:
        """Watches and answers until every expectation but recovery is met, or its time is over."""
        auto = self.drill.responder == "auto"
        patience = min(self._lease, self._longest_wait)
        end = asyncio.get_running_loop().time() + patience
        while asyncio.get_running_loop().time() < end:
            snapshot = await self.watch.look()
            self._observe(snapshot)
            self._abort(snapshot)
            waiting = [item for item in measure(self.drill, self.seen) if item.name != "recovery" and not item.met]
            if self.seen.proved is not None and not waiting:
                return
            if auto and self.seen.incident is not None:
                await responder.respond(self.seen.incident, fault_is_out=False)
            await asyncio.sleep(BEAT)

    @property
    def _longest_wait(self) -> float:
        expect = self.drill.expect
        timed = (expect.alert, expect.incident, expect.page, expect.ack, expect.update)
        return max((one.within for one in timed if one is not None), default=30.0) + 1.0

    def _observe(self, snapshot: Snapshot) -> None:
        seen, since = self.seen, self.seen.fault_in
        if seen.proved is None and all(
            snapshot.outcome(fault.proves.journey, since) == fault.proves.is_
            for fault in self.drill.faults
            if fault.proves
        ):
            seen.proved = snapshot.at
            self.say("the fault shows")
        if seen.alert is None:
            seen.alert = self._alert(snapshot)
        mine = [item for item in snapshot.incidents_since(self.before) if item["drill"] == self.drill.name]
        if mine:
            seen.incident = mine[-1]
            seen.timeline = snapshot.timelines.get(mine[-1]["number"], [])
        broken = {fault.proves.journey for fault in self.drill.faults if fault.proves}
        for name in self.drill.hypothesis:
            if name not in broken and name not in seen.broken and snapshot.outcome(name, since) == "down":
                seen.broken.append(name)

    def _alert(self, snapshot: Snapshot) -> Json | None:
        wanted = self.drill.expect.alert.service if self.drill.expect.alert else None
        new = snapshot.alerts_since(self.before)
        return next((item for item in new if wanted in (None, item["labels"].get("service"))), None)

    def _abort(self, snapshot: Snapshot) -> None:
        for rule in self.drill.abort:
            if rule.incident and any(not item["drill"] for item in snapshot.incidents_since(self.before)):
                raise Stopped("aborted", "a real incident opened")
            if rule.journey and self._failed_in_a_row(snapshot, rule.journey) >= (rule.fails or 1):
                raise Stopped("aborted", f"{rule.journey} failed {rule.fails} times in a row")

    def _failed_in_a_row(self, snapshot: Snapshot, name: str) -> int:
        runs = self.fails.setdefault(name, [])
        if snapshot.outcome(name, self.seen.fault_in) == "down":
            last: Any = snapshot.journey(name)
            if last["run_id"] not in runs:
                runs.append(last["run_id"])
        else:
            runs.clear()
        return len(runs)

    async def _mend(self) -> None:
        """Takes the faults out, and pages somebody when one will not go."""
        names = [name for fault in self.drill.faults for name in fault.shop or {}]
        self.say(f"mending the shop: {', '.join(names)} out")
        try:
            for name in names:
                await clear_switches(self.shop.url, self.shop.token, name)
        except (PracticeFailed, CallFailed) as error:
            await asyncio.to_thread(self.client.post, "/api/v2/alerts", [_stuck(self.drill, str(error))])
            raise Stopped("failed", f"the fault would not go: {error}") from None
        self.seen.fault_out = datetime.now(UTC)

    async def _recover(self, responder: Responder) -> None:
        """Until the journeys are up again and the incident is over, or the time for that is."""
        auto, expect = self.drill.responder == "auto", self.drill.expect.recovery
        end = asyncio.get_running_loop().time() + (expect.within if expect else SPARE) + 1.0
        while asyncio.get_running_loop().time() < end:
            snapshot = await self.watch.look()
            self._observe(snapshot)
            if self.seen.healed is None and not self._not_up(snapshot, self.seen.fault_out):
                self.seen.healed = snapshot.at
                self.say("every journey is up again")
            incident = self.seen.incident
            if self.seen.healed is not None and (incident is None or incident["status"] == "resolved"):
                return
            if auto and incident is not None:
                await responder.respond(incident, fault_is_out=True)
            await asyncio.sleep(BEAT)

    async def _close(self, number: int | None, card: Scorecard) -> None:
        """Ends the drill's window: what opens from now on is real."""
        if number is None:
            return
        document = {"scorecard": card.to_json() | {"number": number}}
        await asyncio.to_thread(self.client.call, "PATCH", f"/api/v1/drills/{number}", document)


def not_up_words(snapshot: Snapshot, names: list[str]) -> str:
    """Why the drill did not begin; a journey that never ran is more likely missing than broken."""
    words = f"not up before the fault: {', '.join(names)}"
    never = [name for name in names if snapshot.journey(name) is None]
    if not never:
        return words
    return f"{words}; {', '.join(never)} never ran: is it in the workspace that `shopwatch run` watches?"


def _stuck(drill: Drill, why: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": "DrillFaultStuck", "drill_name": drill.name, "severity": "SEV1"},
        "annotations": {"summary": f"The fault of drill {drill.name} could not be taken out: {why}"},
    }
