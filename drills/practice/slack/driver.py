"""A practice Slack in the hands of a test or a demo: what people do there, what it shows, and the trouble it makes."""

import json
from typing import Any

from drills.errors import DrillsError
from drills.practice.calling import call


class DriverFailed(DrillsError):
    """The practice Slack did not do as told; the text says why."""


class Driver:
    """`url` and `token` as `Practice` gives them (`practice.urls["slack"]`, `practice.token`).

    A person's act returns what became of the request to the app: `{status, body, acknowledged, problem, elapsed_s}`,
    where `acknowledged` is a 200 within three seconds.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token

    @property
    def api_url(self) -> str:
        """What `base_url` of slack-sdk's clients should be."""
        return f"{self.url}/api/"

    async def connect(self, commands: str, interactions: str) -> None:
        """Says where the app under test takes commands and interactions."""
        await self._call("PUT", "app", {"commands": commands, "interactions": interactions})

    async def command(self, user: str, channel: str, line: str, **more: Any) -> dict[str, Any]:
        """`line` as typed: `/incident ack 3`. `signature=` one of `people.SIGNATURES`."""
        command, _, text = line.partition(" ")
        asked = {"user": user, "channel": channel, "command": command, "text": text, **more}
        return await self._call("POST", "command", asked)

    async def press(self, user: str, channel: str, ts: str, action_id: str, **more: Any) -> dict[str, Any]:
        return await self._call(
            "POST", "press", {"user": user, "channel": channel, "ts": ts, "action_id": action_id, **more}
        )

    async def submit(self, user: str, view_id: str, values: dict[str, dict[str, str]], **more: Any) -> dict[str, Any]:
        return await self._call("POST", "submit", {"user": user, "view_id": view_id, "values": values, **more})

    async def trouble(self, method: str, kind: str, times: int = 1, retry_after: int = 1) -> None:
        """The next `times` calls of that method (`*`: any; `response_url`) fail; see `trouble.KINDS`."""
        asked = {"method": method, "kind": kind, "times": times, "retry_after": retry_after}
        await self._call("PUT", "trouble", asked)

    async def no_trouble(self) -> None:
        await self._call("PUT", "trouble", None)

    async def state(self) -> dict[str, Any]:
        """`{channels: [{id, name, messages}], users, views, calls}`."""
        return await self._call("GET", "state", None)

    async def messages(self, channel: str) -> list[dict[str, Any]]:
        """Of a channel by name, oldest first: roots, replies (`thread_ts`) and what one person sees (`for_user`)."""
        for shown in (await self.state())["channels"]:
            if shown["name"] == channel:
                found: list[dict[str, Any]] = shown["messages"]
                return found
        raise DriverFailed(f"there is no channel {channel}")

    async def _call(self, method: str, name: str, document: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        body = b"" if document is None else json.dumps(document).encode()
        url = f"{self.url}/_practice/slack/{name}"
        answer = await call(method, url, body=body, headers=headers, timeout=8)
        result: dict[str, Any] = answer.json()
        if answer.status != 200:
            raise DriverFailed(str(result.get("error")))
        return result
