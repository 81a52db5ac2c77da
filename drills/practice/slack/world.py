"""What the practice Slack remembers, in memory and bounded: channels, people, messages, modals, response addresses."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from drills.practice.slack.refusal import Refusal

TEAM = "T0PRACTICE"
BOT_USER = "U0SHOPWATCH"
BOT = "B0SHOPWATCH"
APP = "A0SHOPWATCH"
CHANNELS = {"incidents": "C0INCIDENTS", "ops-drills": "C0OPSDRILLS", "general": "C0GENERAL", "finance": "C0FINANCE"}
"""The bot is in all of them but `finance`."""
USERS = {"lead": "U0LEAD", "second": "U0SECOND", "stranger": "U0STRANGER"}
MOST_MESSAGES = 2000  # in a channel; the oldest go
MOST_LEFT = 1000  # modals and response addresses; the oldest go
RESPONSE_USES = 5
RESPONSE_AGE = 1800.0  # seconds
TRIGGER_AGE = 3.0  # seconds


@dataclass(slots=True)
class Message:
    """`for_user`: only that person sees it (ephemeral). `thread_ts` is the root's, on replies."""

    ts: str
    text: str
    blocks: list[dict[str, Any]]
    user: str
    thread_ts: str | None = None
    broadcast: bool = False  # a reply that is shown in the channel as well
    metadata: dict[str, Any] | None = None
    for_user: str | None = None
    edits: int = 0
    reactions: dict[str, list[str]] = field(default_factory=dict)

    def to_json(self, *, metadata: bool = True) -> dict[str, Any]:
        document: dict[str, Any] = {"type": "message", "ts": self.ts, "text": self.text, "user": self.user}
        if self.user == BOT_USER:
            document |= {"bot_id": BOT, "app_id": APP}
        if self.blocks:
            document["blocks"] = self.blocks
        if self.thread_ts:
            document["thread_ts"] = self.thread_ts
        if self.broadcast:
            document["subtype"] = "thread_broadcast"
        if self.metadata and metadata:
            document["metadata"] = self.metadata
        if self.edits:
            document["edited"] = {"user": self.user, "ts": self.ts}
        if self.reactions:
            document["reactions"] = [{"name": n, "users": u, "count": len(u)} for n, u in self.reactions.items()]
        return document


@dataclass(slots=True)
class Channel:
    id: str
    name: str
    is_member: bool = True
    messages: OrderedDict[str, Message] = field(default_factory=OrderedDict)

    def find(self, ts: str) -> Message:
        """Raises Refusal `message_not_found`; nobody can refer to an ephemeral message."""
        message = self.messages.get(ts)
        if message is None or message.for_user:
            raise Refusal("message_not_found")
        return message

    def replies(self, ts: str) -> list[Message]:
        return [message for message in self.messages.values() if message.thread_ts == ts]


@dataclass(slots=True)
class ResponseAddress:
    channel: Channel
    user: str
    made_at: float
    message_ts: str | None
    uses: int = 0


@dataclass(slots=True)
class View:
    id: str
    user: str
    view: dict[str, Any]
    open: bool = True

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "team_id": TEAM, "app_id": APP, "hash": self.id, "state": {"values": {}}, **self.view}


class World:
    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.channels = {key: Channel(key, name, name != "finance") for name, key in CHANNELS.items()}
        self.users = dict(USERS)
        self.views: OrderedDict[str, View] = OrderedDict()
        self.responses: OrderedDict[str, ResponseAddress] = OrderedDict()
        self.triggers: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._last_ts = 0

    def channel(self, where: str, *, by_name: bool = False) -> Channel:
        """Raises Refusal `channel_not_found`; names only where Slack takes them, which is when posting."""
        found = self.channels.get(where)
        if found is None and by_name:
            found = next((c for c in self.channels.values() if c.name == where.removeprefix("#")), None)
        if found is None:
            raise Refusal("channel_not_found")
        return found

    def user_id(self, who: str) -> str:
        """Of a name or an id. Raises Refusal `user_not_found`."""
        found = self.users.get(who, who if who in self.users.values() else None)
        if found is None:
            raise Refusal("user_not_found")
        return found

    def post(self, channel: Channel, message: Message) -> Message:
        channel.messages[message.ts] = message
        while len(channel.messages) > MOST_MESSAGES:
            channel.messages.popitem(last=False)
        return message

    def next_ts(self) -> str:
        """Never the same twice, and always growing."""
        self._last_ts = max(self._last_ts + 1, int(self.clock() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def new_trigger(self, user: str) -> str:
        return _keep(self.triggers, f"{secrets.randbelow(10**12)}.{secrets.token_hex(16)}", (self.clock(), user))

    def use_trigger(self, trigger: str) -> str:
        """The user behind it. Raises Refusal."""
        if not trigger:
            raise Refusal("invalid_trigger_id")
        made_at, user = self.triggers.pop(trigger, (None, ""))
        if made_at is None:
            raise Refusal("exchanged_trigger_id")
        if self.clock() - made_at > TRIGGER_AGE:
            raise Refusal("expired_trigger_id")
        return user

    def new_response(self, channel: Channel, user: str, message_ts: str | None = None) -> str:
        """The secret part of a response_url."""
        address = ResponseAddress(channel, user, self.clock(), message_ts)
        return _keep(self.responses, secrets.token_urlsafe(18), address)

    def use_response(self, key: str) -> ResponseAddress:
        """Raises Refusal `expired_url` or `used_url`."""
        address = self.responses.get(key)
        if address is None or self.clock() - address.made_at > RESPONSE_AGE:
            raise Refusal("expired_url")
        if address.uses >= RESPONSE_USES:
            raise Refusal("used_url")
        address.uses += 1
        return address

    def open_view(self, user: str, view: dict[str, Any]) -> View:
        opened = View(f"V{secrets.token_hex(5).upper()}", user, view)
        _keep(self.views, opened.id, opened)
        return opened

    def visible(self, messages: Iterable[Message]) -> list[Message]:
        return [message for message in messages if message.for_user is None]


def _keep(store: OrderedDict[str, Any], key: str, value: Any) -> str:
    store[key] = value
    while len(store) > MOST_LEFT:
        store.popitem(last=False)
    return key
