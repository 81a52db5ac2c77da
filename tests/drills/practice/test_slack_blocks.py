"""Block Kit's limits, one by one."""

from typing import Any

import pytest

from drills.practice.slack.blocks import LARGEST, check_blocks, check_view
from drills.practice.slack.refusal import Refusal


def plain(length: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": "x" * length}


def button(**changes: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": "a", "text": plain(5)} | changes


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def section(length: int) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": "x" * length}}


def confirm(**lengths: int) -> dict[str, Any]:
    sizes = {"title": 5, "text": 5, "confirm": 5, "deny": 5} | lengths
    return {name: plain(size) for name, size in sizes.items()}


GOOD: dict[str, list[dict[str, Any]]] = {
    "fifty blocks": [{"type": "divider"}] * 50,
    "a section of 3000": [section(3000)],
    "ten fields": [{"type": "section", "fields": [plain(2000)] * 2 + [plain(1)] * 8}],
    "a header of 150": [{"type": "header", "text": plain(150)}],
    "25 actions": [actions(*(button(action_id=str(n)) for n in range(25)))],
    "ten context elements": [{"type": "context", "elements": [plain(3)] * 10}],
    "a full button": [actions(button(text=plain(75), value="x" * 2000, style="danger", confirm=confirm(text=300)))],
}

BAD: dict[str, tuple[list[dict[str, Any]], str]] = {
    "51 blocks": ([{"type": "divider"}] * 51, "0 to 50 items"),
    "a section of 3001": ([section(3001)], "1 to 3000 characters"),
    "an empty section": ([section(0)], "1 to 3000 characters"),
    "a bare section": ([{"type": "section"}], "needs text or fields"),
    "eleven fields": ([{"type": "section", "fields": [plain(1)] * 11}], "1 to 10 items"),
    "a header of 151": ([{"type": "header", "text": plain(151)}], "1 to 150 characters"),
    "a header in mrkdwn": ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "must be plain_text"),
    "26 actions": ([actions(*(button(action_id=str(n)) for n in range(26)))], "1 to 25 items"),
    "no actions": ([actions()], "1 to 25 items"),
    "alike actions": ([actions(button(), button())], "unique within a block"),
    "eleven context elements": ([{"type": "context", "elements": [plain(3)] * 11}], "1 to 10 items"),
    "a button of 76": ([actions(button(text=plain(76)))], "1 to 75 characters"),
    "a value of 2001": ([actions(button(value="x" * 2001))], "1 to 2000 characters"),
    "an action_id of 256": ([actions(button(action_id="x" * 256))], "1 to 255 characters"),
    "a block_id of 256": ([{"type": "divider", "block_id": "x" * 256}], "1 to 255 characters"),
    "a confirm title of 101": ([actions(button(confirm=confirm(title=101)))], "1 to 100 characters"),
    "a confirm text of 301": ([actions(button(confirm=confirm(text=301)))], "1 to 300 characters"),
    "a strange style": ([actions(button(style="warning"))], "must be one of primary, danger"),
    "a script link": ([actions(button(url="javascript:alert(1)"))], "http or https"),
    "an unknown field": ([{"type": "divider", "colour": "red"}], "unknown field: colour"),
    "an unknown block": ([{"type": "banner"}], "unsupported type: banner"),
    "a missing action_id": ([actions({"type": "button", "text": plain(3)})], "missing required field: action_id"),
    "alike block_ids": ([{"type": "divider", "block_id": "a"}] * 2, "unique within a message"),
    "no blocks but text": ("text", "must be an array"),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("name", GOOD)
def test_what_slack_takes_is_taken(name: str) -> None:
    assert check_blocks(GOOD[name]) == GOOD[name]


@pytest.mark.parametrize("name", BAD)
def test_what_slack_refuses_is_refused(name: str) -> None:
    blocks, said = BAD[name]
    with pytest.raises(Refusal, match=said) as caught:
        check_blocks(blocks)
    assert caught.value.code == "invalid_blocks"


def test_blocks_have_a_size_in_all() -> None:
    with pytest.raises(Refusal) as caught:
        check_blocks([section(2900)] * (LARGEST // 2900 + 1))
    assert caught.value.code == "msg_blocks_too_long"


def test_a_modal_has_a_short_title_and_a_way_to_send_it() -> None:
    view: dict[str, Any] = {"type": "modal", "title": plain(24), "blocks": [section(5)]}
    assert check_view(view) == view
    field = {"type": "input", "label": plain(5), "element": {"type": "plain_text_input", "action_id": "a"}}
    for broken in (view | {"title": plain(25)}, view | {"blocks": [field]}, view | {"blocks": [{"type": "x"}]}, None):
        with pytest.raises(Refusal) as caught:
            check_view(broken)
        assert caught.value.code == "invalid_arguments"
