"""What is typed after /incident."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from incident.chat.words import HELP, Typed
from incident.chat.words import parse as parse_at
from incident.core.actions import ACTIONS
from incident.errors import Refused

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=ZoneInfo("Europe/Berlin"))


def parse(text: str) -> Typed:
    return parse_at(text, NOW)


GOOD: list[tuple[str, Typed]] = [
    ("", Typed("list")),
    ("  LIST ", Typed("list")),
    ("help", Typed("help")),
    ("show 3", Typed("show", 3)),
    ("ack #12", Typed("ack", 12)),
    ("note 3 it's the cache", Typed("note", 3, {"text": "it's the cache"})),
    ("update 3 We are on it", Typed("update", 3, {"text": "We are on it"})),
    ('update 3 "We are on it"', Typed("update", 3, {"text": "We are on it"})),
    ('update 3 "one" and "two"', Typed("update", 3, {"text": '"one" and "two"'})),
    ("update 3 --public --status identified It is X",
     Typed("update", 3, {"public": True, "status": "identified", "text": "It is X"})),
    ("update 3 —public It is X", Typed("update", 3, {"public": True, "text": "It is X"})),
    ("update 3 --status=monitoring Better", Typed("update", 3, {"status": "monitoring", "text": "Better"})),
    ("sev 3 sev1 worse", Typed("sev", 3, {"severity": "SEV1", "text": "worse"})),
    ("assign 3 Commander lead", Typed("assign", 3, {"role": "commander", "who": "lead"})),
    ("resolve 3", Typed("resolve", 3)),
    ("resolve 3 rolled back", Typed("resolve", 3, {"text": "rolled back"})),
    ("resolve 3 --force not ours", Typed("resolve", 3, {"force": True, "text": "not ours"})),
    ('update 3 --zh "部分 支付失败" --next 20m --force Over',
     Typed("update", 3, {"text_zh": "部分 支付失败", "next_update_due": "2026-03-01T09:20:00+01:00", "force": True,
                         "text": "Over"})),
    ("merge 3 #2", Typed("merge", 3, {"into": 2})),
    ("unmerge 3", Typed("unmerge", 3)),
    ("duplicate 3 2", Typed("duplicate", 3, {"of": 2})),
    ("link 3 2", Typed("link", 3, {"other": 2})),
    ("link 3 2 Caused by", Typed("link", 3, {"other": 2, "how": "caused by"})),
    ("unlink 3 2", Typed("unlink", 3, {"other": 2})),
    ("task 3 —owner lead --due=2h --action-item Alert on it",
     Typed("task", 3, {"owner": "lead", "due": "2026-03-01T11:00:00+01:00", "action_item": True,
                       "text": "Alert on it"})),
    ("task-change 3 1 --owner second", Typed("task_change", 3, {"task": "1", "owner": "second"})),
    ("task-done 3 1", Typed("task_done", 3, {"task": "1"})),
    ("task-done 3 1 --undone", Typed("task_done", 3, {"task": "1", "undone": True})),
    ("cause 3 Expired certificate", Typed("cause", 3, {"text": "Expired certificate"})),
    ("runbook 3 payment-failure", Typed("runbook", 3, {"name": "payment-failure"})),
    ("silence 3 2h the provider knows", Typed("silence", 3, {"for": 7200.0, "text": "the provider knows"})),
    ("redact 3 7 a card", Typed("redact", 3, {"seq": 7, "text": "a card"})),
    ("open Search is odd", Typed("open", None, {"title": "Search is odd"})),
]  # fmt: skip

BAD = [
    ("akc 3", '"akc" is no command (did you mean "ack"?); `/incident help` lists them'),
    ("ack", "which incident? write `/incident ack 12`"),
    ("ack ١٢", "which incident? write `/incident ack 12`"),
    ("ack 99999999999999999999", "which incident? write `/incident ack 12`"),
    ("note 3", "something is missing: write `/incident note 12 TEXT`"),
    ("update 3 --public", "something is missing: write `/incident update 12 TEXT`"),
    ("update 3 --loud hey", "update knows --public, --force, --status, --next, --zh, and not --loud"),
    ("update 3 --status fine hey", "--status is one of investigating, identified, monitoring, resolved"),
    ("sev 3 high", "which severity? write `/incident sev 12 SEV2`"),
    ("merge 3", "which one? write `/incident merge 13 12`"),
    (
        "link 3 2 friends",
        "they are related, caused by, causes, duplicate of, has duplicate: write `/incident link 13 12 caused by`",
    ),
    ("task 3 --due never x", "'never' is not a time: write 2026-01-31T09:00, 20m, 18:30 or tomorrow 09:00"),
    ("task 3 --owner", "--owner needs a value: write --owner=…"),
    ("silence 3 forever", "for how long? write `/incident silence 12 2h WHY`"),
    ("resolve 3 --now x", "resolve knows --force, and not --now"),
    ("assign 3 commander", "something is missing: write `/incident assign 12 commander lead`"),
]


@pytest.mark.parametrize(("text", "typed"), GOOD, ids=[text or "nothing" for text, _ in GOOD])
def test_what_is_typed_is_understood(text: str, typed: Typed) -> None:
    assert parse(text) == typed


@pytest.mark.parametrize(("text", "message"), BAD, ids=[text for text, _ in BAD])
def test_what_is_not_understood_is_answered_with_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(text)
    assert str(refused.value) == message


@pytest.mark.parametrize("text", ["'" * 5000, "update 1 '" + '"' * 3000, "note 1 \x00\ud800", "--" * 4000])
def test_hostile_text_ends_in_an_action_or_a_refusal(text: str) -> None:
    result: Any
    try:
        result = parse(text)
    except Refused as refused:
        result = str(refused)
    assert result


def test_every_action_but_those_with_files_can_be_typed() -> None:
    typed = {parsed.action for _, parsed in GOOD} | {"reopen"}
    assert set(ACTIONS) - {"attach", "review"} <= typed
    assert [word for word in ("merge", "task-done", "silence", "redact", "--force") if word not in HELP] == []
