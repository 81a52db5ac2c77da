"""docs/practice.md names what there is."""

import re
from pathlib import Path

from drills.practice.shop.store import CUSTOMERS, STAFF
from drills.practice.slack.app import BOT_TOKEN, SIGNING_SECRET
from drills.practice.slack.methods import METHODS
from drills.practice.slack.trouble import KINDS
from drills.practice.slack.world import CHANNELS, USERS
from drills.practice.switches import SWITCHES
from tests.drills.practice.test_journeys import FOLDER, TOLD_APART

TEXT = (Path(__file__).parents[3] / "docs" / "practice.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*)$", TEXT, re.MULTILINE))


def test_every_switch_has_its_row_and_no_other_has() -> None:
    assert set(ROWS) == set(SWITCHES)


def test_a_switchs_row_says_its_kind_of_value() -> None:
    words = {"flag": "true", "duration": "duration", "share": "0 to 1"}
    assert {name: row.split(" | ")[0] for name, row in ROWS.items()} == {
        name: words[switch.kind] for name, switch in SWITCHES.items()
    }


def test_a_switchs_row_says_what_the_journeys_make_of_it() -> None:
    for name, (_, downs) in TOLD_APART.items():
        if name in ("error_rate", "hang"):  # all journeys, wherever they are
            continue
        for down in downs:
            for words in (down.journey, f"`{down.step}`", f"as {down.service}", down.reason):
                assert words in ROWS[name], (name, words)


def test_journeys_people_and_methods_are_named() -> None:
    names = [f"`{file.stem}`" for file in FOLDER.glob("*.yaml")]
    names += [f"`{name}`" for name in (*METHODS, *KINDS, *USERS, BOT_TOKEN, SIGNING_SECRET)]
    names += [f"`#{name}` (`{key}`)" for name, key in CHANNELS.items()]
    names += [f"`{user}`" for user in (CUSTOMERS[0], CUSTOMERS[-1], *STAFF)]
    assert [name for name in names if name not in TEXT] == []
