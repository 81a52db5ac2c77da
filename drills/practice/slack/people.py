"""People of the practice Slack: they type commands, press buttons and submit modals. Each act becomes the signed
request that Slack would send, and the answer is held to Slack's rules."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from drills.practice.calling import Answer, CallFailed, CallTimedOut, call
from drills.practice.slack.methods import read_content
from drills.practice.slack.refusal import Refusal
from drills.practice.slack.world import APP, BOT_USER, TEAM, Channel, Message, World

ACKNOWLEDGE_WITHIN = 3.0  # seconds
DOMAIN = "practice"


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of X-Slack-Signature."""
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    return f"v0={digest}"


def _good(secret: str, body: bytes, now: int) -> tuple[bytes, dict[str, str]]:
    return body, _headers(str(now), sign(secret, str(now), body))


def _old(secret: str, body: bytes, now: int) -> tuple[bytes, dict[str, str]]:
    return body, _headers(str(now - 301), sign(secret, str(now - 301), body))


def _future(secret: str, body: bytes, now: int) -> tuple[bytes, dict[str, str]]:
    return body, _headers(str(now + 301), sign(secret, str(now + 301), body))


def _not_utf8(secret: str, body: bytes, now: int) -> tuple[bytes, dict[str, str]]:
    body += b"&text=\xff\xfe"
    return body, _headers(str(now), sign(secret, str(now), body))


def _headers(timestamp: str, signature: str) -> dict[str, str]:
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature}


SIGNATURES: dict[str, Callable[[str, bytes, int], tuple[bytes, dict[str, str]]]] = {
    "good": _good,
    "wrong": lambda secret, body, now: (body, _headers(str(now), sign(secret + "x", str(now), body))),
    "old": _old,
    "future": _future,
    "missing": lambda secret, body, now: (body, {}),
    "garbage": lambda secret, body, now: (body, _headers(str(now), "nonsense")),
    "not_ascii": lambda secret, body, now: (body, _headers(str(now), "v0=é")),
    "bad_timestamp": lambda secret, body, now: (body, _headers("soon", sign(secret, "soon", body))),
    "tampered": lambda secret, body, now: (body + b"&text=more", _good(secret, body, now)[1]),
    "not_utf8": _not_utf8,
}
"""What a request may look like; all but `good` must be refused."""


@dataclass(slots=True)
class AppAddresses:
    """Where the app under test takes commands and interactions, and the address of this Slack itself."""

    commands: str = ""
    interactions: str = ""
    slack: str = ""


class People:
    def __init__(self, world: World, signing_secret: str, addresses: AppAddresses) -> None:
        self.world = world
        self.secret = signing_secret
        self.addresses = addresses

    async def command(
        self, who: str, where: str, command: str, text: str, *, thread_ts: str | None = None, signature: str = "good"
    ) -> dict[str, Any]:
        """Types a slash command into a channel. Raises Refusal."""
        if thread_ts is not None:
            raise Refusal("not_supported_in_threads", "custom slash commands cannot be used inside threads")
        user, channel = self.world.user_id(who), self.world.channel(where, by_name=True)
        response_url = self._response_url(self.world.new_response(channel, user))
        form = {
            "token": "deprecated-do-not-trust",
            "team_id": TEAM,
            "team_domain": DOMAIN,
            "channel_id": channel.id,
            "channel_name": channel.name,
            "user_id": user,
            "user_name": "deprecated-do-not-trust",
            "command": command,
            "text": text,
            "api_app_id": APP,
            "is_enterprise_install": "false",
            "response_url": response_url,
            "trigger_id": self.world.new_trigger(user),
        }
        report = await self._send(self.addresses.commands, form, signature)
        if report["acknowledged"]:
            report["problem"] = self._take_reply(channel, user, report["body"])
        return report | {"response_url": response_url}

    async def press(
        self, who: str, where: str, ts: str, action_id: str, *, value: str | None = None, signature: str = "good"
    ) -> dict[str, Any]:
        """Presses a button of a message (or picks `value` in a menu). Raises Refusal where there is none."""
        user, channel = self.world.user_id(who), self.world.channel(where, by_name=True)
        message = channel.messages.get(ts)
        if message is None or message.for_user not in (None, user):
            raise Refusal("message_not_found")
        block_id, element = _find(message.blocks, action_id, value)
        response_url = self._response_url(self.world.new_response(channel, user, ts))
        payload = {
            "type": "block_actions",
            "user": {"id": user, "username": "deprecated", "team_id": TEAM},
            "api_app_id": APP,
            "token": "deprecated-do-not-trust",
            "container": _container(channel, message),
            "trigger_id": self.world.new_trigger(user),
            "team": {"id": TEAM, "domain": DOMAIN},
            "channel": {"id": channel.id, "name": channel.name},
            "message": message.to_json(),
            "response_url": response_url,
            "actions": [_action(element, block_id, value)],
        }
        report = await self._send(self.addresses.interactions, {"payload": json.dumps(payload)}, signature)
        return report | {"response_url": response_url}

    async def submit(
        self, who: str, view_id: str, values: dict[str, dict[str, str]], *, signature: str = "good"
    ) -> dict[str, Any]:
        """Submits a modal; `values`: block_id → action_id → text. Raises Refusal."""
        user, opened = self.world.user_id(who), self.world.views.get(view_id)
        if opened is None or not opened.open or opened.user != user:
            raise Refusal("view_not_found")
        payload = {
            "type": "view_submission",
            "user": {"id": user, "username": "deprecated", "team_id": TEAM},
            "api_app_id": APP,
            "team": {"id": TEAM, "domain": DOMAIN},
            "trigger_id": self.world.new_trigger(user),
            "view": opened.to_json() | {"state": {"values": _state(opened.view["blocks"], values)}},
        }
        report = await self._send(self.addresses.interactions, {"payload": json.dumps(payload)}, signature)
        if report["acknowledged"]:
            answer = _read_json(report["body"])
            opened.open = answer.get("response_action") in ("errors", "update", "push")
            report["errors"] = answer.get("errors", {})
        return report

    def respond(self, key: str, arguments: dict[str, Any]) -> None:
        """A use of a response_url. Raises Refusal."""
        address = self.world.use_response(key)
        if arguments.get("delete_original") and address.message_ts:
            address.channel.messages.pop(address.message_ts, None)
            return
        text, blocks = read_content(arguments)
        original = address.channel.messages.get(address.message_ts or "")
        if arguments.get("replace_original") and original is not None:
            original.text, original.blocks, original.edits = text, blocks, original.edits + 1
            return
        only_for = None if arguments.get("response_type") == "in_channel" else address.user
        thread = original.thread_ts or original.ts if original is not None and arguments.get("thread_ts") else None
        message = Message(self.world.next_ts(), text, blocks, BOT_USER, thread, for_user=only_for)
        self.world.post(address.channel, message)

    def _response_url(self, key: str) -> str:
        return f"{self.addresses.slack}/respond/{TEAM}/{key}"

    def _take_reply(self, channel: Channel, user: str, body: str) -> str | None:
        """An acknowledgement may carry a message. The return is what Slack would not have liked about it."""
        if not body.strip():
            return None
        reply = _read_json(body) or {"text": body}
        try:
            text, blocks = read_content(reply)
        except Refusal as error:
            return str(error)
        only_for = None if reply.get("response_type") == "in_channel" else user
        self.world.post(channel, Message(self.world.next_ts(), text, blocks, BOT_USER, for_user=only_for))
        return None

    async def _send(self, url: str, form: dict[str, str], signature: str) -> dict[str, Any]:
        """What became of a request: `acknowledged` is a 200 within three seconds; `problem` says what was wrong."""
        if signature not in SIGNATURES:
            raise Refusal("invalid_arguments", f"signature is one of {', '.join(SIGNATURES)}")
        if not url:
            raise Refusal("no_app", "say where the app is first: PUT /_practice/slack/app")
        body, headers = SIGNATURES[signature](self.secret, urlencode(form).encode(), int(time.time()))
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        started = time.monotonic()
        report: dict[str, Any] = {"status": None, "body": "", "acknowledged": False, "problem": None}
        try:
            answer = await call("POST", url, body=body, headers=headers, timeout=ACKNOWLEDGE_WITHIN)
            report |= _judge(answer)
        except CallTimedOut:
            report["problem"] = "operation_timeout: not acknowledged within 3 seconds"
        except CallFailed as error:
            report["problem"] = f"dispatch_failed: {error}"
        return report | {"elapsed_s": round(time.monotonic() - started, 3)}


def _judge(answer: Answer) -> dict[str, Any]:
    good = answer.status == 200
    problem = None if good else f"dispatch_failed: the app answered {answer.status}"
    body = answer.body.decode("utf-8", "replace")
    return {"status": answer.status, "body": body, "acknowledged": good, "problem": problem}


def _find(blocks: list[dict[str, Any]], action_id: str, value: str | None) -> tuple[str, dict[str, Any]]:
    """The block's id and the element; of several alike the one with that value."""
    for index, block in enumerate(blocks):
        elements = [*block.get("elements", []), *([block["accessory"]] if "accessory" in block else [])]
        for element in elements:
            alike = element.get("action_id") == action_id
            if alike and (element["type"] != "button" or value in (None, element.get("value"))):
                return block.get("block_id", f"b{index}"), element
    raise Refusal("action_not_found", f"the message has no {action_id}")


def _action(element: dict[str, Any], block_id: str, value: str | None) -> dict[str, Any]:
    action = {"type": element["type"], "action_id": element["action_id"], "block_id": block_id}
    action["action_ts"] = f"{time.time():.6f}"
    if element["type"] == "button":
        return action | {"text": element["text"]} | ({"value": element["value"]} if "value" in element else {})
    if element["type"] == "users_select":
        return action | {"selected_user": value}
    chosen = next((option for option in element.get("options", []) if option["value"] == value), None)
    if chosen is None:
        raise Refusal("action_not_found", f"{element['action_id']} has no option {value!r}")
    return action | {"selected_option": chosen}


def _container(channel: Channel, message: Message) -> dict[str, Any]:
    container: dict[str, Any] = {"type": "message", "message_ts": message.ts, "channel_id": channel.id}
    container["is_ephemeral"] = message.for_user is not None
    return container | ({"thread_ts": message.thread_ts} if message.thread_ts else {})


def _state(blocks: list[dict[str, Any]], values: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Every input of the modal with what was entered. Raises Refusal where a required one is empty."""
    state: dict[str, Any] = {}
    for index, block in enumerate(blocks):
        if block["type"] != "input":
            continue
        block_id, element = block.get("block_id", f"b{index}"), block["element"]
        entered = values.get(block_id, {}).get(element["action_id"]) or element.get("initial_value")
        if not entered and not block.get("optional"):
            raise Refusal("view_incomplete", f"{block_id} must be filled in")
        state[block_id] = {element["action_id"]: _entered(element, entered)}
    return state


def _entered(element: dict[str, Any], entered: str | None) -> dict[str, Any]:
    kind = element["type"]
    if kind == "plain_text_input":
        return {"type": kind, "value": entered}
    if kind == "users_select":
        return {"type": kind, "selected_user": entered}
    chosen = next((option for option in element["options"] if option["value"] == entered), None)
    return {"type": kind, "selected_option": chosen or element.get("initial_option")}


def _read_json(body: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
