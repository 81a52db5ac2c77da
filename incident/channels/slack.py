"""Slack: one root message an incident, kept up to date in place, and the timeline in its thread.

Deliveries that wait while Slack is slow run together: each send brings root and thread up to the present, and the
next ones find nothing left to say. What was being posted when the process died is looked for in the channel, by the
metadata it was posted with, before it is posted again.
"""

from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.models.metadata import Metadata
from slack_sdk.web.async_client import AsyncWebClient

from incident.channels import Context, DeliveryFailed
from incident.chat import blocks
from incident.core.deliveries import PAGE, Message
from incident.desk import Desk
from incident.errors import ChannelMisconfigured
from incident.settings import Channel as ChannelSettings

_TIMEOUT = 10  # seconds
_EVENT = "shopwatch_incident"
_LOOK_BACK = 100  # messages
_BAD_TOKEN = ("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope")
_BAD_CHANNEL = ("channel_not_found", "not_in_channel", "is_archived", "no_permission")
_BAD_CONTENT = ("invalid_blocks", "msg_too_long", "no_text")
_NEVER = frozenset((*_BAD_TOKEN, *_BAD_CHANNEL, *_BAD_CONTENT))


@dataclass
class Ref:
    """What this channel remembers of an incident. `posting`: what was about to be posted, until it is known to be."""

    channel: str = ""
    ts: str = ""
    seq: int = 0  # the last event that root and thread show
    posting: str = ""


class Slack:
    def __init__(self, name: str, channel: str, client: AsyncWebClient, desk: Desk) -> None:
        self._name, self._channel, self._client, self._desk = name, channel, client, desk

    async def send(self, message: Message) -> None:
        number = message.number
        ref = Ref(**(await self._desk.get_ref(self._name, number) or {}))
        if ref.posting:
            await self._settle(ref, number)
        elif ref.ts and ref.seq >= int(message.event.get("seq", 0)):
            return
        incident = await self._desk.incident(number)
        shown = {"text": blocks.summary(incident), "blocks": blocks.root(incident, self._desk.base_url)}
        known = bool(ref.ts)
        if known:
            await self._call("chat_update", channel=ref.channel, ts=ref.ts, **shown)
        else:
            await self._post(ref, number, "root", **shown)
        events = await self._desk.timeline(number, after=ref.seq)
        text = blocks.thread(events)
        if text:
            calls = known and message.kind == PAGE  # in the channel too, where an old root may be far up
            seen = {"reply_broadcast": True} if calls else {}
            await self._post(ref, number, f"thread-{events[-1].seq}", text=text, thread_ts=ref.ts, **seen)
        elif events:
            ref.seq = events[-1].seq
            await self._remember(ref, number)

    async def _post(self, ref: Ref, number: int, what: str, **content: Any) -> None:
        """`what` is noted before and after, so that a crash in between is seen the next time."""
        ref.posting = what
        await self._remember(ref, number)
        metadata = Metadata(_EVENT, {"incident": number, "what": what})
        options = {"unfurl_links": False, "unfurl_media": False, "metadata": metadata}
        posted = await self._call("chat_postMessage", channel=ref.channel or self._channel, **options, **content)
        await self._posted(ref, number, str(posted["channel"]), str(posted["ts"]))

    async def _posted(self, ref: Ref, number: int, channel: str, ts: str) -> None:
        if ref.posting == "root":
            ref.channel, ref.ts, ref.seq = channel, ts, 1  # the root says what `opened` does
        else:
            ref.seq = int(ref.posting.removeprefix("thread-"))
        ref.posting = ""
        await self._remember(ref, number)

    async def _settle(self, ref: Ref, number: int) -> None:
        """The last post was interrupted: finds out whether it arrived."""
        channel = ref.channel or await self._channel_id()
        look = {"channel": channel, "include_all_metadata": True, "limit": _LOOK_BACK}
        if ref.ts:
            answer = await self._call("conversations_replies", ts=ref.ts, oldest=ref.ts, **look)
        else:
            answer = await self._call("conversations_history", **look)
        wanted = {"incident": number, "what": ref.posting}
        for item in answer["messages"]:
            metadata = item.get("metadata") or {}
            if metadata.get("event_type") == _EVENT and metadata.get("event_payload") == wanted:
                return await self._posted(ref, number, channel, item["ts"])
        ref.posting = ""
        return None

    async def _channel_id(self) -> str:
        """Of a channel that is configured by name."""
        if not self._channel.startswith("#"):
            return self._channel
        cursor = ""
        while True:
            answer = await self._call("conversations_list", limit=200, exclude_archived=True, cursor=cursor)
            for channel in answer["channels"]:
                if channel["name"] == self._channel[1:]:
                    return str(channel["id"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                raise DeliveryFailed(f"Slack shows no channel {self._channel}", permanent=True)

    async def _remember(self, ref: Ref, number: int) -> None:
        await self._desk.set_ref(self._name, number, asdict(ref))

    async def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Raises DeliveryFailed, with the seconds that Slack asks to be left alone."""
        try:
            answer = await getattr(self._client, method)(**arguments)
        except SlackApiError as error:
            raise _failure(error) from error
        except (SlackClientError, ClientError, OSError, TimeoutError) as error:
            raise DeliveryFailed(f"Slack does not answer: {error or type(error).__name__}") from error
        data: dict[str, Any] = answer.data
        return data

    async def close(self) -> None:
        return


def _failure(error: SlackApiError) -> DeliveryFailed:
    response = error.response
    if response.status_code == 429:
        asked = str(response.headers.get("Retry-After", "1"))
        return DeliveryFailed("Slack asks for patience", retry_after=float(asked) if asked.isdigit() else 1.0)
    code = str(response.get("error") or response.status_code)
    return DeliveryFailed(f"Slack refused: {code}", permanent=code in _NEVER)


def build(name: str, spec: ChannelSettings, context: Context) -> Slack:
    """Raises ChannelMisconfigured when there is no `slack` section to send with."""
    settings = context.settings.slack
    if settings is None:
        raise ChannelMisconfigured(f"channel {name} is a Slack channel, and shopwatch.yaml has no `slack` section")
    url = settings.api_url if settings.api_url.endswith("/") else settings.api_url + "/"
    client = AsyncWebClient(
        token=settings.bot_token,
        base_url=url,
        timeout=_TIMEOUT,
        retry_handlers=[],  # its own would post again after a lost answer, without looking whether it arrived
    )
    return Slack(name, spec.slack or "", client, context.desk)
