"""Block Kit, checked hard: types, required fields, unknown fields, and every limit. The SDK checks none of it for
blocks that are plain dictionaries, and Slack's own refusals come only in production."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from drills.practice.slack.refusal import Refusal

MOST_BLOCKS = {"message": 50, "modal": 100}
LARGEST = 16 * 1024  # bytes of JSON in all; more may pass in Slack, and may not

Check = Callable[[Any, str], None]


def _refuse(path: str, problem: str) -> NoReturn:
    raise Refusal("invalid_blocks", f"[ERROR] {problem} [json-pointer:{path}]")


def _text(limit: int, least: int = 1) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            _refuse(path, "must be a string")
        if not least <= len(value) <= limit:
            _refuse(path, f"must have {least} to {limit} characters, has {len(value)}")

    return check


def _label(limit: int, *, markdown: bool = False) -> Check:
    """A text object; `markdown` where mrkdwn is allowed too."""
    kinds = ("plain_text", "mrkdwn") if markdown else ("plain_text",)

    def check(value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            _refuse(path, "must be a text object")
        if value.get("type") not in kinds:
            _refuse(f"{path}/type", f"must be {' or '.join(kinds)}")
        allowed = {"type", "text", "emoji" if value["type"] == "plain_text" else "verbatim"}
        _only(value, allowed, path)
        if "text" not in value:
            _refuse(path, "missing required field: text")
        _text(limit)(value["text"], f"{path}/text")

    return check


def _one_of(*values: Any) -> Check:
    def check(value: Any, path: str) -> None:
        if value not in values:
            _refuse(path, f"must be one of {', '.join(map(str, values))}")

    return check


def _list(check_item: Check, least: int, most: int) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            _refuse(path, "must be an array")
        if not least <= len(value) <= most:
            _refuse(path, f"must have {least} to {most} items, has {len(value)}")
        for index, item in enumerate(value):
            check_item(item, f"{path}/{index}")

    return check


def _boolean(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        _refuse(path, "must be a boolean")


def _whole(value: Any, path: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        _refuse(path, "must be a whole number")


def _link(value: Any, path: str) -> None:
    _text(3000)(value, path)
    if not value.startswith(("http://", "https://")):
        _refuse(path, "must be an http or https address")


def _only(value: Mapping[str, Any], allowed: set[str], path: str) -> None:
    for name in value:
        if name not in allowed:
            _refuse(path, f"unknown field: {name}")


@dataclass(frozen=True, slots=True)
class Shape:
    """An object: its fields with their checks, and which of them must be there."""

    required: Mapping[str, Check] = field(default_factory=dict)
    optional: Mapping[str, Check] = field(default_factory=dict)

    def __call__(self, value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            _refuse(path, "must be an object")
        _only(value, {"type", *self.required, *self.optional}, path)
        for name, check in self.required.items():
            if name not in value:
                _refuse(path, f"missing required field: {name}")
            check(value[name], f"{path}/{name}")
        for name, check in self.optional.items():
            if name in value:
                check(value[name], f"{path}/{name}")


def _typed(shapes: Mapping[str, Check], *kinds: str) -> Check:
    """An object whose `type` says its shape."""

    def check(value: Any, path: str) -> None:
        kind = value.get("type") if isinstance(value, Mapping) else None
        if kind not in (kinds or shapes):
            _refuse(path, f"unsupported type: {kind}")
        shapes[str(kind)](value, path)

    return check


_ID = _text(255)
_CONFIRM = Shape(
    {
        "title": _label(100),
        "text": _label(300, markdown=True),
        "confirm": _label(30),
        "deny": _label(30),
    },
    {"style": _one_of("primary", "danger")},
)
_OPTION = Shape(
    {"text": _label(75, markdown=True), "value": _text(150)}, {"description": _label(75, markdown=True), "url": _link}
)
_CHOICE: dict[str, Check] = {"confirm": _CONFIRM, "focus_on_load": _boolean}
_SELECT: dict[str, Check] = {"placeholder": _label(150), **_CHOICE}

ELEMENTS: dict[str, Check] = {
    "button": Shape(
        {"text": _label(75), "action_id": _ID},
        {
            "value": _text(2000),
            "url": _link,
            "style": _one_of("primary", "danger"),
            "confirm": _CONFIRM,
            "accessibility_label": _text(75),
        },
    ),
    "static_select": Shape(
        {"action_id": _ID, "options": _list(_OPTION, 1, 100)}, {"initial_option": _OPTION, **_SELECT}
    ),
    "users_select": Shape({"action_id": _ID}, {"initial_user": _text(50), **_SELECT}),
    "overflow": Shape({"action_id": _ID, "options": _list(_OPTION, 1, 5)}, {"confirm": _CONFIRM}),
    "radio_buttons": Shape(
        {"action_id": _ID, "options": _list(_OPTION, 1, 10)}, {"initial_option": _OPTION, **_CHOICE}
    ),
    "checkboxes": Shape(
        {"action_id": _ID, "options": _list(_OPTION, 1, 10)}, {"initial_options": _list(_OPTION, 1, 10), **_CHOICE}
    ),
    "plain_text_input": Shape(
        {"action_id": _ID},
        {
            "placeholder": _label(150),
            "initial_value": _text(3000, 0),
            "multiline": _boolean,
            "min_length": _whole,
            "max_length": _whole,
            "focus_on_load": _boolean,
        },
    ),
    "image": Shape({"image_url": _link, "alt_text": _text(2000)}),
}
_INTERACTIVE = ("button", "static_select", "users_select", "overflow", "radio_buttons", "checkboxes")
_CONTEXT: dict[str, Check] = {
    "image": ELEMENTS["image"],
    "mrkdwn": _label(3000, markdown=True),
    "plain_text": _label(3000),
}
_BLOCK_ID: dict[str, Check] = {"block_id": _ID}


def _section(value: Any, path: str) -> None:
    Shape(
        {},
        {
            "text": _label(3000, markdown=True),
            "fields": _list(_label(2000, markdown=True), 1, 10),
            "accessory": _typed(ELEMENTS, *_INTERACTIVE, "image"),
            "expand": _boolean,
            **_BLOCK_ID,
        },
    )(value, path)
    if "text" not in value and "fields" not in value:
        _refuse(path, "a section needs text or fields")


def _actions(value: Any, path: str) -> None:
    Shape({"elements": _list(_typed(ELEMENTS, *_INTERACTIVE), 1, 25)}, _BLOCK_ID)(value, path)
    ids = [element["action_id"] for element in value["elements"]]
    if len(set(ids)) != len(ids):
        _refuse(path, "action_id must be unique within a block")


BLOCKS: dict[str, Check] = {
    "section": _section,
    "actions": _actions,
    "header": Shape({"text": _label(150)}, _BLOCK_ID),
    "divider": Shape({}, _BLOCK_ID),
    "context": Shape({"elements": _list(_typed(_CONTEXT), 1, 10)}, _BLOCK_ID),
    "image": Shape({"image_url": _link, "alt_text": _text(2000)}, {"title": _label(2000), **_BLOCK_ID}),
    "input": Shape(
        {"label": _label(2000), "element": _typed(ELEMENTS, *(set(ELEMENTS) - {"button", "overflow", "image"}))},
        {"hint": _label(2000), "optional": _boolean, "dispatch_action": _boolean, **_BLOCK_ID},
    ),
}


def check_blocks(blocks: Any, surface: str = "message") -> list[dict[str, Any]]:
    """The blocks as they were given. Raises Refusal `invalid_blocks` or `msg_blocks_too_long`."""
    _list(_typed(BLOCKS), 0, MOST_BLOCKS[surface])(blocks, "/blocks")
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(set(ids)) != len(ids):
        _refuse("/blocks", "block_id must be unique within a message")
    if len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")).encode()) > LARGEST:
        raise Refusal("msg_blocks_too_long", f"more than {LARGEST} bytes of blocks")
    checked: list[dict[str, Any]] = blocks
    return checked


_VIEW = Shape(
    {"title": _label(24), "blocks": lambda blocks, path: None},
    {
        "submit": _label(24),
        "close": _label(24),
        "callback_id": _ID,
        "private_metadata": _text(3000, 0),
        "external_id": _ID,
        "clear_on_close": _boolean,
        "notify_on_close": _boolean,
    },
)


def check_view(view: Any) -> dict[str, Any]:
    """A modal. Raises Refusal `invalid_arguments`."""
    try:
        _typed({"modal": _VIEW})(view, "/view")
        check_blocks(view["blocks"], "modal")
        if "submit" not in view and any(block["type"] == "input" for block in view["blocks"]):
            _refuse("/view", "missing required field: submit (there are input blocks)")
    except Refusal as error:
        raise Refusal("invalid_arguments", *error.messages) from error
    checked: dict[str, Any] = view
    return checked
