"""Evidence and files that belong to an incident: attached by people, and by Shopwatch from the run that failed."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import Connection

from incident.core.actor import SYSTEM, Actor
from incident.core.alerts import StoredAlert, readable
from incident.core.model import Incident
from incident.errors import IncidentError, NotFound, Refused
from incident.store import alerts as alert_store
from incident.store import attachments as store
from incident.store import incidents as incident_store
from incident.store import runs as run_store

if TYPE_CHECKING:
    from incident.desk import Desk

log = structlog.get_logger("incident.attachments")

LARGEST = 1 << 20  # bytes of one
MOST = 50  # of one incident
OF_RUNS = 10  # of those, at most so many by Shopwatch
EVERY = 3.0  # seconds between looks for runs that failed


@dataclass(frozen=True)
class File:
    name: str
    media_type: str
    content: bytes


class Attachments:
    def __init__(self, desk: "Desk") -> None:
        self._desk = desk

    async def add(self, number: int, actor: Actor, file: File, of: Mapping[str, str] | None = None) -> Incident:
        """`of`: the run and the alert's fingerprint that it is evidence of. Raises NotFound, NotAllowed, Refused."""
        content = file.content
        if not content or len(content) > LARGEST:
            raise Refused(f"an attachment has 1 to {LARGEST} bytes, not {len(content)}")
        if not (name := readable(file.name).replace("/", "_").replace("\\", "_").strip(". ")):
            raise Refused("an attachment needs a name")
        key = secrets.token_hex(8)
        digest = hashlib.sha256(content).hexdigest()
        kind = readable(file.media_type)
        said = {"name": name, "media_type": kind, "size": len(content), "sha256": digest, **(of or {})}

        def alongside(connection: Connection) -> None:
            if len(incident_store.find(connection, number).attachments) >= MOST:
                raise Refused(f"#{number} has {MOST} attachments, which is the most")
            store.add(connection, key, number, content, self._desk.now())

        return await self._desk.perform("attach", number, actor, {"attachment": key, **said}, alongside)

    async def content(self, number: int, key: str) -> tuple[Mapping[str, Any], bytes]:
        """What is said of it, and itself. Raises NotFound."""
        incident = await self._desk.incident(number)
        content = await self._desk.database.read(lambda connection: store.content(connection, number, key))
        if key not in incident.attachments or content is None:
            raise NotFound(f"#{number} has no attachment {readable(key)!r}")
        return incident.attachments[key], content

    async def run(self) -> None:
        """Attaches the failing runs of journeys to their incidents, for ever. A run may be told of after its alert."""
        seen = -1
        while True:
            await asyncio.sleep(EVERY)
            if seen == self._desk.changes:
                continue
            seen = self._desk.changes
            try:
                await self.gather()
            except IncidentError as error:
                log.error("evidence could not be attached", error=str(error))
            except Exception:  # a defect here must not end the daemon
                log.exception("evidence could not be attached")

    async def gather(self) -> None:
        """Once, for every alert of a journey that fires and whose run is known and not attached yet."""
        for alert, result in await self._desk.database.read(_missing):
            name = f"{result.get('journey', 'run')}-{result.get('run_id', '')}.json"
            content = json.dumps(result, indent=2, ensure_ascii=False).encode()[:LARGEST]
            of = {"run": str(result.get("run_id", "")), "fingerprint": alert.fingerprint}
            if alert.incident is not None:
                await self.add(alert.incident, SYSTEM, File(name, "application/json", content), of)


def _missing(connection: Connection) -> list[tuple[StoredAlert, dict[str, Any]]]:
    alerts = alert_store.of_journeys(connection)
    incidents = {
        one.number: one
        for one in incident_store.by_number(connection, {a.incident for a in alerts if a.incident is not None})
    }
    found = []
    for alert in alerts:
        incident = incidents.get(alert.incident or 0)
        if incident is None or not incident.open or not _wanted(alert, incident):
            continue
        result = run_store.failure(
            connection, alert.labels.get("journey", ""), alert.labels.get("location", ""), alert.annotations["run"]
        )
        if result is not None:
            found.append((alert, result))
    return found


def _wanted(alert: StoredAlert, incident: Incident) -> bool:
    of_runs = [item for item in incident.attachments.values() if item.get("run")]
    return len(of_runs) < OF_RUNS and all(item.get("fingerprint") != alert.fingerprint for item in of_runs)
