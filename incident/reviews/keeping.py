"""The reviews of incidents: hung on the desk as `desk.reviews`. Gathers what they state; reminds of action items."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection

from incident.core import reviewing
from incident.core.folding import Draft
from incident.core.model import Event, Incident
from incident.core.policy import scale_of
from incident.errors import IncidentError, NotFound, Refused
from incident.orders import usual
from incident.reviews import due, picture, writing
from incident.reviews.apart import Renderer
from incident.reviews.facts import Facts, Material, facts_of
from incident.reviews.words import WORDS
from incident.store import incidents as incident_store

if TYPE_CHECKING:
    from incident.desk import Desk

log = structlog.get_logger("incident.reviews")

EVERY = 60.0  # seconds between looks for action items that are overdue
CHANGES_BEFORE = timedelta(hours=2)
_PAGES = 6  # of 1000 runs, of one journey
_JOURNEYS = 50
_STATES = ("open", "overdue", "done")


@dataclass(frozen=True)
class Review:
    """One review as it is now. `text` is Markdown: what was published, with fresh numbers, else a draft to work on."""

    facts: Facts
    text: str
    material: Material
    lang: str

    def picture(self) -> str:
        return picture.draw(self.material, self.facts["updates"], WORDS[self.lang])

    def page(self) -> tuple[str, str]:
        """HTML, and its Content-Security-Policy."""
        return writing.page(self.text, self.picture(), self.facts, self.lang)


class Reviews:
    """`folder`: the workspace, where a template of the user's own may lie."""

    def __init__(self, desk: "Desk") -> None:
        self._desk = desk
        self.folder: Path | None = None
        self._renderer = Renderer()

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self._desk.settings.shop.time_zone)

    async def of(self, number: int, lang: str | None = None, template: str | None = None) -> Review:
        """`template`: write a draft by this one, whatever was published. Raises NotFound, Refused."""
        material = await self._material(number)
        lang = lang or "en"
        if lang not in WORDS:
            raise Refused(f"a review is written in {' or '.join(WORDS)}")
        facts = await asyncio.to_thread(facts_of, material)
        said = _published(material) if template is None else None
        if said is not None:
            text = await asyncio.to_thread(writing.published, facts, lang, self._zone, said)
        else:
            text = writing.draft(facts, await self._drafted(facts, lang, template or self._own_template()))
        return Review(facts, text, material, lang)

    async def _drafted(self, facts: Facts, lang: str, template: str | None) -> str:
        given = await asyncio.to_thread(writing.material_for, facts, lang, self._zone)
        if template is None:
            return await asyncio.to_thread(writing.shipped, given)
        if len(template) > writing.LARGEST_TEMPLATE:
            raise Refused(f"the template of the review has more than {writing.LARGEST_TEMPLATE} characters")
        return await self._renderer.render(template, given)

    def _own_template(self) -> str | None:
        path = None if self.folder is None else self.folder / writing.TEMPLATE
        if path is None or not path.is_file():
            return None
        try:
            with path.open(encoding="utf-8") as file:
                return file.read(writing.LARGEST_TEMPLATE + 1)
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"{writing.TEMPLATE} cannot be read: {error}") from None

    async def _material(self, number: int) -> Material:
        desk = self._desk
        incident = await desk.incident(number)
        now = desk.now()
        end = incident.resolved_at or now
        scale, begun = scale_of(desk.settings), dict.fromkeys(incident.services, (incident.since, end))
        rates = await desk.database.read(lambda connection: usual(connection, scale, begun))
        return Material(
            incident=incident,
            events=await desk.timeline(number),
            runs=await self._runs(incident, end),
            per_minute={name: rate for name, rate in rates.items() if rate and name in incident.services},
            others=await desk.incidents(),
            changes=[_change(one) for one in await desk.events.changes(incident.since - CHANGES_BEFORE, end)],
            zone=self._zone,
            now=now,
        )

    async def _runs(self, incident: Incident, end: datetime) -> dict[str, list[dict[str, Any]]]:
        """Of the journeys that touch its services."""
        names = {
            str(last["journey"])
            for last in await self._desk.journeys()
            if {last.get("service"), *(step.get("service") for step in _steps(last))} & set(incident.services)
        }
        found: dict[str, list[dict[str, Any]]] = {}
        for name in sorted(names)[:_JOURNEYS]:
            before: datetime | None = end
            runs: list[dict[str, Any]] = []
            for _ in range(_PAGES):
                try:
                    page = await self._desk.history.runs(name, since=incident.since, before=before, limit=1000)
                except NotFound:
                    break
                runs += page.runs
                before = page.next
                if before is None:
                    break
            found[name] = runs
        return found

    # What waits

    async def listed(self) -> list[dict[str, Any]]:
        """Of all incidents: whether a review is due, and the action items. Those with nothing to tell are left out."""
        return due.reviews(await self._desk.incidents(), self._zone, self._desk.now())

    async def counts(self) -> dict[str, int]:
        """Action items by state."""
        incidents = await self._desk.database.read(incident_store.with_action_items)
        now = self._desk.now()
        found = Counter(item["state"] for one in incidents for item in due.action_items(one, now))
        return {state: found[state] for state in _STATES}

    async def run(self) -> None:
        """Reminds for ever."""
        while True:
            try:
                await self.remind()
            except IncidentError as error:
                log.error("action items could not be looked at", error=str(error))
            except Exception:  # a defect here must not end the daemon
                log.exception("action items could not be looked at")
            await asyncio.sleep(EVERY)

    async def remind(self) -> int:
        """Says on the timelines, and to the channels, which action items are overdue now. Returns how many events."""
        now = self._desk.now()
        candidates = await self._desk.database.read(incident_store.with_action_items)
        numbers = [one.number for one in candidates if _to_say(one, now)]
        if not numbers:
            return 0
        return await self._desk.say(lambda connection: _reminders(connection, numbers, now))


def _reminders(connection: Connection, numbers: list[int], now: datetime) -> tuple[Draft, list[Incident]]:
    known = incident_store.by_number(connection, numbers)
    draft = Draft(known, 0, now)
    for incident in known:
        reviewing.remind(incident, draft)
    return draft, known


def _to_say(incident: Incident, now: datetime) -> bool:
    draft = Draft([incident], 0, now)
    reviewing.remind(incident, draft)
    return bool(draft.events)


def _published(material: Material) -> str | None:
    """The text of the last event that published one, unless that was redacted."""
    seq = material.incident.review.get("seq")
    event: Event | None = next((one for one in material.events if one.seq == seq), None)
    return None if event is None else str(event.data.get("text", ""))


def _change(change: Mapping[str, Any]) -> dict[str, Any]:
    return {key: str(change.get(key, "")) for key in ("at", "source", "summary")}


def _steps(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    steps = result.get("steps")
    return [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
