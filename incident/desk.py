"""The one place through which web, chat, command line and engine reach incidents. Everything here is async."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection

from incident import numbers
from incident.attachments import Attachments
from incident.core.actor import Actor, Kind, Role
from incident.core.alerts import DrillWindow, SourceWords, StoredAlert, accept
from incident.core.decide import Policy
from incident.core.deliveries import Telling
from incident.core.folding import Draft
from incident.core.model import Event, Incident
from incident.core.muting.silences import Silence
from incident.core.policy import RunbookFinder, policy_of
from incident.daemon import performing
from incident.daemon.bell import Bell
from incident.daemon.committing import commit
from incident.daemon.cycling import Cycling
from incident.daemon.holding import Holding
from incident.daemon.performing import Alongside
from incident.errors import Conflict, IncidentError, PartlyRefused, Refused
from incident.events import Events
from incident.gathering import Gathering
from incident.history.keeper import History
from incident.loaded import Loaded
from incident.locations import Locations
from incident.reviews.keeping import Reviews
from incident.settings import Settings
from incident.silences import of_incident
from incident.silences.keeping import Silences
from incident.silences.telling import tell as tell_of_silence
from incident.store import deliveries as delivery_store
from incident.store import drills as drill_store
from incident.store import incidents as incident_store
from incident.store import runs as run_store
from incident.store.database import Database
from incident.tokens import Tokens

log = structlog.get_logger("incident.desk")

T = TypeVar("T")
_EMPTYING = 5  # times that it is tried


def utc_now() -> datetime:
    return datetime.now(UTC)


class Desk:
    """`base_url` begins the addresses of incidents in messages. `wake` is set when the engine has something to do.

    `changes` grows with every commit that a reader could notice.
    """

    def __init__(
        self,
        database: str,
        settings: Settings,
        clock: Callable[[], datetime] = utc_now,
        runbook_finder: RunbookFinder | None = None,
        base_url: str = "",
    ) -> None:
        self.base_url = base_url
        self.wake = asyncio.Event()
        self.outbox_bell = Bell()
        self.changes = 0
        self.now = clock
        self.database = Database(database)
        self.tokens_kept = Tokens(self.database, settings, clock)
        self.history = History(self.database, clock, lambda: self.settings)
        self.holding = Holding(lambda: self.settings)
        self.locations = Locations(self.database, clock, lambda: self.settings, lambda: self.changed(wake=True))
        self.events = Events(self, clock)
        self.silences = Silences(
            self.database, clock, self.write_retried, self._tell_of_silence, lambda n: self.changed(True, n)
        )
        self.attachments = Attachments(self)
        self.reviews = Reviews(self)
        self.loaded = Loaded(clock())
        self.on_reload: list[Callable[[Settings], Awaitable[None]]] = []
        self._runbook_finder = runbook_finder
        self._use(settings)
        self.gathering = Gathering(self.database.write)
        self._noticed = asyncio.Condition()
        self._hearing: asyncio.Task[None] | None = None
        self.cycling = Cycling(self.database, self.holding, self.write_retried, self.changed)
        self._listening_since = clock()

    async def start(self) -> None:
        """Opens the database and brings its tables up to date. Raises StoreUnavailable."""
        await asyncio.to_thread(self.database.open)
        loop = asyncio.get_running_loop()

        def heard() -> None:
            loop.call_soon_threadsafe(self._hear)

        self.database.listen(heard)
        self._listening_since = self.now()
        self.wake.set()

    async def close(self) -> None:
        """Waits for what is being written."""
        await asyncio.to_thread(self.database.close)

    def _use(self, settings: Settings) -> None:
        self.settings = settings
        self._policy: Policy = policy_of(settings, self._runbook_finder)
        self._threads = frozenset(name for name, channel in settings.channels.items() if channel.kind == "slack")

    async def reload(self, settings: Settings, runbook_finder: RunbookFinder | None = None) -> None:
        """From now on these settings hold, for everything that `on_reload` names too. A finder replaces the old one."""
        self._runbook_finder = runbook_finder or self._runbook_finder
        self._use(settings)
        self.tokens_kept.use(settings)
        for told in self.on_reload:
            await told(settings)
        self.loaded = Loaded(self.now())
        await self.changed(wake=True)

    async def changed(self, wake: bool = False, messages: int = 0) -> None:
        """Tells those who wait for changes; with `wake` the engine too, with `messages` the outbox."""
        self.database.tell_others()
        await self._changed(wake, messages)

    def _hear(self) -> None:
        """Another process has changed something."""
        self._hearing = asyncio.create_task(self._changed(wake=True, messages=1))

    async def _changed(self, wake: bool, messages: int) -> None:
        self.changes += 1
        if messages:
            self.outbox_bell.ring()
        if wake:
            self.wake.set()
        async with self._noticed:
            self._noticed.notify_all()

    async def wait_change(self, seen: int, timeout: float) -> int:
        """Returns `changes` once it differs from `seen`, or as it is after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout), self._noticed:
                await self._noticed.wait_for(lambda: self.changes != seen)
        except TimeoutError:
            return self.changes
        return self.changes

    def _tell_of_silence(
        self, connection: Connection, silence: Silence, what: str, *, actor: Actor, now: datetime
    ) -> int:
        return tell_of_silence(connection, silence, what, actor=actor, now=now, telling=self._telling())

    @property
    def cascades(self) -> bool:
        """Whether one service's trouble may show in others first."""
        return any(service.needs for service in self.settings.services.values())

    def was_away(self, until: datetime) -> None:
        """Nothing could be heard until then, as before a start: a silence in that time was ours."""
        self._listening_since = until

    @property
    def listening_since(self) -> datetime:
        """Since when this process takes alerts in."""
        return self._listening_since

    def _telling(self) -> Telling:
        return Telling(self.base_url, self._threads)

    # What comes in

    async def intake(self, alerts: Iterable[Any], source: str) -> None:
        """Takes `probes.alert.Alert`s in; they are on disk when this returns, and the engine looks at them at once.

        Raises PartlyRefused for those that can have no identity, after the others are stored; StoreFull.
        """
        now, words = self.now(), self._words_of(source)
        good: list[StoredAlert] = []
        problems: list[str] = []
        for alert in alerts:
            try:
                good.append(accept(alert, source, now, words))
            except Refused as error:
                problems.append(str(error))
        if good:
            news = await self.gathering.store(good)
            if news:
                await self.changed(wake=True)
        if problems:
            raise PartlyRefused(problems)

    def _words_of(self, source: str) -> SourceWords:
        known = self.settings.intake.source(source)
        return SourceWords() if known is None else SourceWords(known.service, known.severities)

    async def results(self, batch: Iterable[Any]) -> None:
        """Takes results of runs in (the JSON of `probes.result.Result`); they are on disk when this returns.

        Raises PartlyRefused for those that are none, after the others are stored; StoreFull.
        """
        rows: list[dict[str, Any]] = []
        problems: list[str] = []
        for result in batch:
            try:
                rows.append(run_store.checked(result))
            except Refused as error:
                problems.append(str(error))
        if rows:
            await self.history.take_in(rows)
            await self.changed()
        if problems:
            raise PartlyRefused(problems)

    # What people do

    async def perform(
        self,
        action: str,
        number: int | None,
        actor: Actor,
        args: Mapping[str, Any] | None = None,
        alongside: Alongside | None = None,
    ) -> Incident:
        """Does one action of `incident.core.actions`, and returns the incident after it, committed with its deliveries.

        `silence` (for: seconds, text) is one more. `alongside` writes what belongs to the action in the same
        transaction. Raises NotFound, NotAllowed, Refused, Conflict or StoreFull.
        """
        if action == "silence" and number is not None:
            await of_incident.silence(self, number, actor, args or {})
            return await self.incident(number)

        def job(connection: Connection) -> tuple[Incident, int, int]:
            if alongside is not None:
                alongside(connection)
            return performing.perform(
                connection, action, number, actor=actor, args=args or {}, policy=self._policy,
                telling=self._telling(), now=self.now(),
            )  # fmt: skip

        try:
            incident, events, messages = await self.write_retried(job)
        except IncidentError as error:
            log.warning(
                "action refused", action=action, incident=number, actor=actor.name, via=actor.via, error=str(error)
            )
            raise
        if events:
            await self.changed(wake=True, messages=messages)
        if action == "redact":
            await self._forget_overwritten()
        return incident

    async def _forget_overwritten(self) -> None:
        for _ in range(_EMPTYING):
            if await self.database.empty_log():
                return
            await asyncio.sleep(0.2)
        log.warning("redacted, but somebody reads the database: its log may still hold it for a while")

    async def say(self, decide: Callable[[Connection], tuple[Draft, Sequence[Incident]]]) -> int:
        """Commits what Shopwatch itself has to say: a draft, and the incidents as they were. How many events it had."""

        def job(connection: Connection) -> tuple[int, int]:
            draft, before = decide(connection)
            return len(draft.events), commit(connection, draft, before, self._telling())

        events, messages = await self.write_retried(job)
        if events:
            await self.changed(messages=messages)
        return events

    async def write_retried(self, job: Callable[[Connection], T], times: int = 5) -> T:
        """Decides anew when somebody else was faster, as happens where several processes share a database."""
        for _ in range(times - 1):
            try:
                return await self.database.write(job)
            except Conflict as error:
                if error.stated:
                    raise
        return await self.database.write(job)

    # What there is

    async def incident(self, number: int) -> Incident:
        """Raises NotFound."""
        return await self.database.read(lambda connection: incident_store.find(connection, number))

    async def incidents(self, open_only: bool = False, limit: int = 1000) -> list[Incident]:
        """Open ones in the order of their numbers; all, the newest first."""
        if open_only:
            return await self.database.read(incident_store.list_open)
        return await self.database.read(lambda connection: incident_store.list_all(connection, limit))

    async def timeline(self, number: int, after: int = 0, limit: int | None = None) -> list[Event]:
        """Raises NotFound."""

        def job(connection: Connection) -> list[Event]:
            found = incident_store.timeline(connection, number, after, limit)
            if not found:
                incident_store.find(connection, number)
            return found

        return await self.database.read(job)

    async def alerts(self, most: int | None = None) -> list[StoredAlert]:
        """Those that fire now, by fingerprint, or the `most` oldest in order; `muted`: what holds them back now."""
        now = self.now()
        return await self.database.read(lambda connection: self.holding.active(connection, now, most))

    async def journeys(self) -> list[dict[str, Any]]:
        """The last result of each journey and location, with `since`: how long its outcome has been what it is."""
        return await self.database.read(run_store.last)

    async def deliveries(self, incident: int | None = None, limit: int = 200) -> list[dict[str, Any]]:
        """Newest first, as JSON."""
        return await self.database.read(lambda connection: delivery_store.recent(connection, incident, limit))

    async def get_ref(self, channel: str, incident: int) -> dict[str, Any] | None:
        """What a channel remembered of an incident, such as the message that it keeps up to date."""
        return await self.database.read(lambda connection: delivery_store.get_ref(connection, channel, incident))

    async def set_ref(self, channel: str, incident: int, data: Mapping[str, Any]) -> None:
        await self.database.write(lambda connection: delivery_store.set_ref(connection, channel, incident, data))

    # Drills

    async def open_drill(
        self, name: str, target: str, services: Sequence[str] | None, until: datetime, actor: Actor
    ) -> int:
        """Opens a window in which alerts of these services (None: of all) are the drill's. Returns its number.

        Raises NotAllowed; Refused while another drill runs on the same target.
        """
        actor.must_be(Role.RESPONDER, "run a drill")
        wanted = None if services is None else tuple(services)
        window = DrillWindow(0, name, target, wanted, self.now(), until, actor.name)
        number = await self.database.write(lambda connection: drill_store.add(connection, window))
        await self.changed()
        return number

    async def close_drill(self, number: int, scorecard: Mapping[str, Any] | None) -> None:
        """Raises NotFound."""
        await self.database.write(lambda connection: drill_store.close(connection, number, scorecard, self.now()))
        await self.changed()

    async def drills(self, limit: int = 100) -> list[dict[str, Any]]:
        """Newest first, as JSON."""
        found = await self.database.read(lambda connection: drill_store.recent(connection, limit))
        return [window.to_json() for window in found]

    # Tokens

    async def create_token(self, name: str, role: str, kind: str = "person") -> str:
        """The secret, which is shown this once. Raises Refused."""
        return await self.tokens_kept.create(Actor(name, Role.parse(role), Kind(kind)))

    def lend_token(self, actor: Actor) -> str:
        """A secret that works until this process ends, and is nowhere on disk."""
        return self.tokens_kept.lend(actor)

    async def tokens(self) -> list[dict[str, Any]]:
        return await self.tokens_kept.listed()

    async def revoke_token(self, name: str) -> None:
        """Raises NotFound."""
        await self.tokens_kept.revoke(name)

    async def authenticate(self, secret: str) -> Actor | None:
        """Whose secret it is: a stored or lent token's, or a configured source's."""
        return await self.tokens_kept.authenticate(secret)

    # The engine

    async def cycle(self, now: datetime, *, storm: bool = False, patient: bool = False) -> datetime | None:
        """Decides on everything that waits or is due at `now`; `storm`: it is part of very much that comes at once.

        `patient`: it may hesitate (`cycling.hesitates`). Returns when the next thing is due by itself.
        """
        policy = replace(self._policy, storm=storm)
        return await self.cycling.cycle(now, policy, self._telling(), self._listening_since, patient=patient)

    async def rebuild(self) -> int:
        """Makes the cache of incidents anew from their events. Returns how many there are."""
        count = await self.database.write(incident_store.rebuild)
        self.cycling.forget()
        await self.changed()
        return count

    async def metrics(self) -> numbers.Numbers:
        now = self.now()
        found = await self.database.read(lambda connection: numbers.gather(connection, now))
        done = self.cycling
        return replace(found, cycle_duration_s=done.last_s, cycles=done.count, cycle_failures=done.failed)
