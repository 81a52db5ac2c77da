import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from incident.core.actor import Actor, Role
from incident.errors import NotAllowed, Refused
from incident.naming import meant
from incident.settings import Settings
from tests.incident.conftest import RESPONDER, SHOP, VIEWER

pytestmark = pytest.mark.anyio
PEOPLE = {"lead": {"name": "Shift lead", "slack": "U024BE7LH"}, "second": {"name": "Second"}}


def desk(people: Any = PEOPLE, folder: Path | None = None) -> Any:
    settings = Settings.model_validate({**SHOP, "people": people})
    return SimpleNamespace(settings=settings, reviews=SimpleNamespace(folder=folder))


async def assigned(who: Any, actor: Actor = RESPONDER, people: Any = PEOPLE) -> Any:
    return (await meant(desk(people), "assign", actor, {"role": "scribe", "who": who}))["who"]


async def test_a_person_is_meant_by_the_key_by_a_mention_or_by_the_members_id() -> None:
    for said in ("lead", " LEAD ", "@lead", "<@U024BE7LH>", "<@U024BE7LH|x>", "U024BE7LH"):
        assert await assigned(said) == "lead"


async def test_who_acts_may_take_a_role_without_being_one_of_the_people() -> None:
    assert await assigned("mara") == "mara"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("laed", "there is no person 'laed': did you mean lead? (add whoever is missing to `people`"),
        ("zzz", "there is no person 'zzz': there is lead or second"),
        ("<@U0NOBODY>", "no person in shopwatch.yaml has `slack: U0NOBODY`: add it to one of lead or second"),
        ("\x1b[2J", "there is no person '[2J'"),
    ],
)
async def test_an_unknown_person_is_refused_with_those_who_may_be_meant(said: str, words: str) -> None:
    with pytest.raises(Refused, match=re.escape(words)):
        await assigned(said)


async def test_without_people_anybody_can_be_named() -> None:
    assert await assigned("anybody at all", people={}) == "anybody at all"


async def test_who_may_not_assign_is_not_told_who_there_is() -> None:
    with pytest.raises(NotAllowed):
        await assigned("zzz", VIEWER)


async def test_a_runbook_is_one_of_the_workspace_or_one_that_is_shipped(tmp_path: Path) -> None:
    (tmp_path / "runbooks").mkdir()
    own = "---\nrunbook: till-jams\ntitle: The till jams\nmatches: ['service=\"payment\"']\n---\n## Meaning\nIt jams.\n"
    (tmp_path / "runbooks" / "till.md").write_text(own, encoding="utf-8")
    known = desk(folder=tmp_path)
    for said in ("till-jams", "Login-Failure"):
        assert await meant(known, "runbook", RESPONDER, {"name": said}) == {"name": said.lower()}
    with pytest.raises(Refused, match="there is no runbook 'till-jam': did you mean till-jams"):
        await meant(known, "runbook", RESPONDER, {"name": "till-jam"})


async def test_where_no_workspace_is_known_any_runbook_goes() -> None:
    assert await meant(desk(), "runbook", RESPONDER, {"name": "mine"}) == {"name": "mine"}


async def test_other_actions_and_odd_arguments_are_left_alone() -> None:
    actor = Actor("lead", Role.VIEWER)
    for action, args in (("note", {"text": "x"}), ("assign", {"who": 3}), ("runbook", {})):
        assert await meant(desk(), action, actor, args) == args
