"""The responder that a drill plays when it says `responder: auto`: acknowledges, tells people, resolves."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from incident.client import Answered, Client
from runbooks.document import PreparedUpdate
from runbooks.errors import NoSuchRunbook
from runbooks.library import Library

NAME = "drill-responder"


class Responder:
    """Acts once per stage of the incident, under a token of its own: the timeline names it and not a person."""

    def __init__(self, admin: Client, library: Library) -> None:
        self.admin = admin
        self.library = library
        self.client: Client | None = None
        self.done: set[str] = set()

    async def __aenter__(self) -> "Responder":
        await asyncio.to_thread(self._forget)  # what a killed drill may have left behind
        made = await asyncio.to_thread(self.admin.post, "/api/v1/tokens", {"name": NAME, "role": "commander"})
        self.client = Client(self.admin.url, token=made["token"])
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._forget)

    def _forget(self) -> None:
        try:
            self.admin.call("DELETE", f"/api/v1/tokens/{NAME}")
        except Answered as error:
            if error.status != 404:
                raise

    async def respond(self, incident: Mapping[str, Any], *, fault_is_out: bool) -> None:
        """The next thing that a good responder does now; nothing when there is nothing to do."""
        if "ack" not in self.done:
            await self._act(incident, "ack")
            self.done.add("ack")
        elif "told" not in self.done and incident["runbooks"]:
            await self._tell(incident, first=True)
            self.done.add("told")
        elif fault_is_out and incident["status"] == "monitoring" and "resolved" not in self.done:
            await self._tell(incident, first=False)
            await self._close(incident)
            self.done.add("resolved")

    async def _close(self, incident: Mapping[str, Any]) -> None:
        """What a probe left in the shop while it was broken is undone later: it must not keep the drill open."""
        why = "The drill's fault is out and every alert is over."
        try:
            await self._act(incident, "resolve", text=why)
        except Answered as refused:
            if refused.status != 400:
                raise
            await self._act(incident, "resolve", text=why, force=True)

    async def _tell(self, incident: Mapping[str, Any], *, first: bool) -> None:
        update = prepared(self.library, incident["runbooks"], first=first)
        if update is None:
            words = "We are looking into it." if first else "It is over."
            public = {} if first or not incident["said_publicly"] else {"public": True, "status": "monitoring"}
            await self._act(incident, "update", text=words, **public)
            return
        status = update.status
        if status == incident["status"]:
            status = None
        elif status == "resolved":
            status = "monitoring"  # the gate before the end is passed by `resolve` alone
        given = {"text": update.en, "text_zh": update.zh, "public": update.public, "status": status}
        await self._act(incident, "update", **{name: value for name, value in given.items() if value is not None})

    async def _act(self, incident: Mapping[str, Any], action: str, **arguments: Any) -> None:
        assert self.client is not None, "used outside `async with`"
        await asyncio.to_thread(self.client.post, f"/api/v1/incidents/{incident['number']}/{action}", arguments)


def prepared(library: Library, names: Iterable[str], *, first: bool) -> PreparedUpdate | None:
    """What the first runbook that has words ready would tell at the beginning, or when it is over."""
    for name in names:
        try:
            updates = library.get(name).updates
        except NoSuchRunbook:
            continue
        if updates:
            return next((update for update in updates if (update.status != "resolved") is first), None)
    return None
