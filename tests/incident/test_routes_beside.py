"""Routing trees made at random: the alertmanager.yml that we show makes Debian's Alertmanager route as we do."""

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incident.settings import Settings
from incident.web.receivers import alertmanager_yaml
from probes.labels import LabelMatcher
from tests.a_prometheus import wait_for
from tests.incident.hardened.in_process import InProcess, in_process
from tests.incident.test_muting_outside import alertmanager, call

pytestmark = pytest.mark.needs("alertmanager")

CHANNELS = ("pager", "chat", "mail.desk", "night-desk")
ODD = ('a "quoted" one', "tab\there", "back\\slash", "two\nlines", "支付", "{a,b}", "x")
VALUES: dict[str, tuple[str, ...]] = {
    "service": ("", "", "unassigned", "login", "payment", "a.c", "支付"),
    "severity": ("", "critical", "Error", "warning", "SEV1", "sev4", "none", "unheard of"),
    "team": ("", *ODD),
    "x_y": ("", "1", "22", *ODD[:3]),
}
REGEXES = (".*", ".+", "", "login|payment", "a.c", "(?i)LOGIN|x", "un.*|", "[^x]+", r"\d+", r"back\\slash", "SEV[12]",
           "SEV3|", "^x$", "unassigned", "支.")  # fmt: skip
SETS = 150  # of labels
NAMES = tuple(VALUES)


def some_matcher(chance: random.Random) -> LabelMatcher:
    name = chance.choice(NAMES)
    regex, equal = chance.random() < 0.5, chance.random() < 0.6
    return LabelMatcher(name, chance.choice(REGEXES if regex else VALUES[name]), is_regex=regex, is_equal=equal)


def some_route(chance: random.Random, depth: int) -> dict[str, Any]:
    below = chance.randint(0, 3) if depth < 3 else 0
    return {
        "match": [some_matcher(chance) for _ in range(chance.choice((0, 1, 1, 2)) if depth else 1)],
        "channels": [chance.choice(CHANNELS) for _ in range(chance.choice((0, 1, 1, 2, 3)))],
        "group_by": chance.choice(((), (), ("team",), ("x_y", "service"), ("...",), ("...", "team"), ("team", "team"))),
        "routes": [some_route(chance, depth + 1) for _ in range(below)],
    }


def some_settings(seed: int) -> Settings:
    chance = random.Random(seed)
    routes = [some_route(chance, 0) for _ in range(chance.randint(0, 4))]
    return Settings.model_validate(
        {
            "shop": {"name": "Example Shop"},
            "services": {name: {"title": name} for name in ("login", "payment")},
            "channels": {name: {"console": True} for name in CHANNELS},
            "routes": routes,
        }
    )


def some_alerts() -> list[dict[str, Any]]:
    chance = random.Random(1)
    return [
        {
            "labels": {"alertname": "A", "n": str(n), **{name: chance.choice(VALUES[name]) for name in NAMES}},
            "startsAt": "2020-01-01T00:00:00Z",
            "endsAt": "2099-01-01T00:00:00Z",
        }
        for n in range(SETS)
    ]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("ours"), some_settings(0)) as app:
        assert app.request("POST", "/api/v2/alerts", json=some_alerts()).status_code == 200
        yield app


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("theirs")


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Iterator[str]:
    with alertmanager(folder, alertmanager_yaml(some_settings(0))) as url:
        assert call(url, "POST", "/api/v2/alerts", some_alerts())[0] == 200
        yield url


def receivers(found: list[dict[str, Any]]) -> dict[str, list[str]]:
    return {item["labels"]["n"]: [one["name"] for one in item["receivers"]] for item in found}


def groups(found: list[dict[str, Any]]) -> dict[str, dict[str, list[str]]]:
    """The alerts of each receiver and set of labels, by whatever routes they came there."""
    merged: dict[str, dict[str, list[str]]] = {}
    for group in found:
        key = json.dumps([group["labels"], group["receiver"]], sort_keys=True)
        merged.setdefault(key, {}).update(receivers(group["alerts"]))
    return merged


@pytest.mark.parametrize("seed", range(1, 25))
def test_a_tree_of_routes_is_walked_as_alertmanager_walks_it(
    seed: int, ours: InProcess, theirs: str, folder: Path
) -> None:
    ours.do(ours.desk.reload(some_settings(seed)))
    status = ours.request("GET", "/api/v2/status").json()
    (folder / "alertmanager.yml").write_text(status["config"]["original"], encoding="utf-8")
    checked = subprocess.run(
        ["amtool", "check-config", str(folder / "alertmanager.yml")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert call(theirs, "POST", "/-/reload")[0] == 200

    found = receivers(ours.request("GET", "/api/v2/alerts").json())
    assert len(found) == SETS
    assert found == receivers(call(theirs, "GET", "/api/v2/alerts")[1])
    own = groups(ours.request("GET", "/api/v2/alerts/groups").json())
    wait_for(lambda: groups(call(theirs, "GET", "/api/v2/alerts/groups")[1]) == own)
    names = [one["name"] for one in ours.request("GET", "/api/v2/receivers").json()]
    assert sorted(names) == sorted(one["name"] for one in call(theirs, "GET", "/api/v2/receivers")[1])
