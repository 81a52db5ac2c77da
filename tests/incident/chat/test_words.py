"""What is typed after /incident."""

from typing import Any

import pytest

from incident.chat.words import Typed, parse
from incident.errors import Refused

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
    ("open Search is odd", Typed("open", None, {"title": "Search is odd"})),
]  # fmt: skip

BAD = [
    ("akc 3", '"akc" is no command (did you mean "ack"?); `/incident help` lists them'),
    ("ack", "which incident? write `/incident ack 12`"),
    ("ack ١٢", "which incident? write `/incident ack 12`"),
    ("ack 99999999999999999999", "which incident? write `/incident ack 12`"),
    ("note 3", "something is missing: write `/incident note 12 TEXT`"),
    ("update 3 --public", "something is missing: write `/incident update 12 TEXT`"),
    ("update 3 --loud hey", "update knows --public and --status, not --loud"),
    ("update 3 --status fine hey", "--status is one of investigating, identified, monitoring, resolved"),
    ("sev 3 high", "which severity? write `/incident sev 12 SEV2`"),
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
