"""The methods of the Web API that an incident tool uses. One function each: arguments in, the answer's fields out."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drills.practice.slack.blocks import check_blocks, check_view
from drills.practice.slack.rates import POSTS, TIERS, Rate
from drills.practice.slack.refusal import Refusal
from drills.practice.slack.world import APP, BOT, BOT_USER, TEAM, Channel, Message, World

MOST_TEXT = 40_000
MOST_METADATA = 16 * 1024

Arguments = Mapping[str, Any]
Fields = dict[str, Any]


def read_content(arguments: Arguments) -> tuple[str, list[dict[str, Any]]]:
    """Text and blocks of a message, checked. Raises Refusal."""
    text, blocks = arguments.get("text") or "", _structure(arguments, "blocks", "invalid_blocks_format") or []
    if not isinstance(text, str):
        raise Refusal("invalid_arguments", "text must be a string")
    if len(text) > MOST_TEXT:
        raise Refusal("msg_too_long")
    if not text.strip() and not blocks:
        raise Refusal("no_text")
    return text, check_blocks(blocks)


def _structure(arguments: Arguments, name: str, code: str) -> Any:
    """An argument that is JSON: as it is in a JSON body, as text in a form."""
    value = arguments.get(name)
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError as error:
            raise Refusal(code) from error
    return value


def _metadata(arguments: Arguments) -> dict[str, Any] | None:
    metadata = _structure(arguments, "metadata", "invalid_metadata_format")
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or set(metadata) != {"event_type", "event_payload"}:
        raise Refusal("invalid_metadata_format")
    if not isinstance(metadata["event_type"], str) or not isinstance(metadata["event_payload"], dict):
        raise Refusal("invalid_metadata_format")
    if len(json.dumps(metadata)) > MOST_METADATA:
        raise Refusal("metadata_too_large")
    return metadata


def _text(arguments: Arguments, name: str, default: str = "") -> str:
    value = arguments.get(name)
    return default if value is None else str(value)


def _flag(arguments: Arguments, name: str) -> bool:
    return str(arguments.get(name, "")).lower() in ("true", "1")


def _joined(channel: Channel) -> Channel:
    if not channel.is_member:
        raise Refusal("not_in_channel")
    return channel


def _thread(channel: Channel, arguments: Arguments) -> str | None:
    """The root that a reply goes to. Stricter than Slack, which lets a reply to nothing or to a reply go astray."""
    ts = arguments.get("thread_ts")
    if ts is None:
        return None
    root = channel.messages.get(str(ts))
    if root is None:
        raise Refusal("thread_not_found")
    if root.thread_ts or root.for_user:
        raise Refusal("cannot_reply_to_message")
    return root.ts


def auth_test(world: World, arguments: Arguments) -> Fields:
    return {"url": "https://practice.slack.example/", "team": "Practice", "user": "shopwatch",
            "team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT, "app_id": APP}  # fmt: skip


def post_message(world: World, arguments: Arguments) -> Fields:
    channel = _joined(world.channel(_text(arguments, "channel"), by_name=True))
    text, blocks = read_content(arguments)
    metadata = _metadata(arguments)
    thread = _thread(channel, arguments)
    broadcast = _flag(arguments, "reply_broadcast")
    if broadcast and thread is None:  # Slack passes over it
        raise Refusal("invalid_arguments")
    message = world.post(channel, Message(world.next_ts(), text, blocks, BOT_USER, thread, broadcast, metadata))
    return {"channel": channel.id, "ts": message.ts, "message": message.to_json()}


def update(world: World, arguments: Arguments) -> Fields:
    channel = _joined(world.channel(_text(arguments, "channel")))
    message = channel.find(_text(arguments, "ts"))
    if message.user != BOT_USER:
        raise Refusal("cant_update_message")
    text, blocks = read_content(arguments)
    metadata = _metadata(arguments)
    message.text, message.blocks, message.edits = text, blocks, message.edits + 1
    message.metadata = metadata or message.metadata
    return {"channel": channel.id, "ts": message.ts, "text": text, "message": message.to_json()}


def post_ephemeral(world: World, arguments: Arguments) -> Fields:
    channel = _joined(world.channel(_text(arguments, "channel"), by_name=True))
    user = _text(arguments, "user")
    if user not in world.users.values():
        raise Refusal("user_not_in_channel")
    text, blocks = read_content(arguments)
    thread = _thread(channel, arguments)
    message = world.post(channel, Message(world.next_ts(), text, blocks, BOT_USER, thread, for_user=user))
    return {"message_ts": message.ts}


def delete(world: World, arguments: Arguments) -> Fields:
    channel = _joined(world.channel(_text(arguments, "channel")))
    message = channel.find(_text(arguments, "ts"))
    if message.user != BOT_USER:
        raise Refusal("cant_delete_message")
    del channel.messages[message.ts]
    return {"channel": channel.id, "ts": message.ts}


def permalink(world: World, arguments: Arguments) -> Fields:
    channel = world.channel(_text(arguments, "channel"))
    message = channel.find(_text(arguments, "message_ts"))
    stamp = message.ts.replace(".", "")
    return {"channel": channel.id, "permalink": f"https://practice.slack.example/archives/{channel.id}/p{stamp}"}


def history(world: World, arguments: Arguments) -> Fields:
    """Newest first, without the replies of threads that are shown there alone, as in Slack."""
    channel = _joined(world.channel(_text(arguments, "channel")))
    roots = [
        message
        for message in world.visible(channel.messages.values())
        if message.thread_ts is None or message.broadcast
    ]
    return _page(_between(roots, arguments)[::-1], arguments)


def replies(world: World, arguments: Arguments) -> Fields:
    """The root and its replies, oldest first."""
    channel = _joined(world.channel(_text(arguments, "channel")))
    root = channel.messages.get(_text(arguments, "ts"))
    if root is None:
        raise Refusal("thread_not_found")
    return _page([root, *_between(channel.replies(root.ts), arguments)], arguments)


def _between(messages: list[Message], arguments: Arguments) -> list[Message]:
    oldest, latest = _text(arguments, "oldest", "0"), _text(arguments, "latest", "9999999999.999999")
    inclusive = _flag(arguments, "inclusive")
    try:
        low, high = float(oldest), float(latest)
    except ValueError as error:
        raise Refusal("invalid_ts_oldest") from error
    stamped = [(float(message.ts), message) for message in messages]
    return [m for ts, m in stamped if low < ts < high or (inclusive and ts in (low, high))]


def _page(messages: list[Message], arguments: Arguments) -> Fields:
    limit, start = _text(arguments, "limit", "100"), _text(arguments, "cursor", "") or "0"
    if not (limit.isdigit() and 1 <= int(limit) <= 999):
        raise Refusal("invalid_limit")
    if not start.isdigit():
        raise Refusal("invalid_cursor")
    end = int(start) + int(limit)
    shown = messages[int(start) : end]
    more = end < len(messages)
    metadata = _flag(arguments, "include_all_metadata")
    return {
        "messages": [message.to_json(metadata=metadata) for message in shown],
        "has_more": more,
        "response_metadata": {"next_cursor": str(end) if more else ""},
    }


def list_channels(world: World, arguments: Arguments) -> Fields:
    shown = [_channel(channel) for channel in world.channels.values()]
    return {"channels": shown, "response_metadata": {"next_cursor": ""}}


def channel_info(world: World, arguments: Arguments) -> Fields:
    return {"channel": _channel(world.channel(_text(arguments, "channel")))}


def _channel(channel: Channel) -> Fields:
    return {"id": channel.id, "name": channel.name, "is_channel": True, "is_archived": False,
            "is_private": False, "is_member": channel.is_member}  # fmt: skip


def user_info(world: World, arguments: Arguments) -> Fields:
    user = world.user_id(_text(arguments, "user"))
    name = next(name for name, known in world.users.items() if known == user)
    return {"user": {"id": user, "team_id": TEAM, "name": name, "real_name": name.title(), "is_bot": False}}


def add_reaction(world: World, arguments: Arguments) -> Fields:
    channel = _joined(world.channel(_text(arguments, "channel")))
    message, name = channel.find(_text(arguments, "timestamp")), _text(arguments, "name")
    if not name:
        raise Refusal("invalid_name")
    users = message.reactions.setdefault(name, [])
    if BOT_USER in users:
        raise Refusal("already_reacted")
    users.append(BOT_USER)
    return {}


def open_view(world: World, arguments: Arguments) -> Fields:
    user = world.use_trigger(_text(arguments, "trigger_id"))
    view = check_view(_structure(arguments, "view", "invalid_arguments"))
    return {"view": world.open_view(user, view).to_json()}


def update_view(world: World, arguments: Arguments) -> Fields:
    found = world.views.get(_text(arguments, "view_id"))
    if found is None or not found.open:
        raise Refusal("not_found")
    found.view = check_view(_structure(arguments, "view", "invalid_arguments"))
    return {"view": found.to_json()}


@dataclass(frozen=True, slots=True)
class Method:
    run: Callable[[World, Arguments], Fields]
    rate: Rate
    per_channel: bool = False


METHODS: dict[str, Method] = {
    "auth.test": Method(auth_test, TIERS[4]),
    "chat.postMessage": Method(post_message, POSTS, per_channel=True),
    "chat.update": Method(update, TIERS[3]),
    "chat.postEphemeral": Method(post_ephemeral, TIERS[4]),
    "chat.delete": Method(delete, TIERS[3]),
    "chat.getPermalink": Method(permalink, TIERS[4]),
    "conversations.history": Method(history, TIERS[3]),
    "conversations.replies": Method(replies, TIERS[3]),
    "conversations.list": Method(list_channels, TIERS[2]),
    "conversations.info": Method(channel_info, TIERS[3]),
    "users.info": Method(user_info, TIERS[4]),
    "reactions.add": Method(add_reaction, TIERS[3]),
    "views.open": Method(open_view, TIERS[4]),
    "views.update": Method(update_view, TIERS[4]),
}
