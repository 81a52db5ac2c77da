"""Alertmanager's own amtool, our command line and Debian's Alertmanager itself, beside a real daemon."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import cli
from tests.incident.a_daemon import Daemon, running, workspace

pytestmark = pytest.mark.needs("alertmanager")

SETTINGS = """
shop: {name: Example Shop}
services: {login: {title: Sign-in}, payment: {title: Payment}, catalog: {title: Catalogue}}
channels: {pager: {console: true}, chat: {console: true}}
routes:
  - match: ['severity=~"SEV1|SEV2"']
    channels: [pager, chat]
    routes:
      - {match: [service=login], channels: [chat], group_by: [team, alertname]}
      - {match: [team=x], routes: [{match: ['service!="login"', 'region=~"eu-.+"'], group_by: ['...', service]}]}
  - {channels: [chat]}
inhibit: [{source: [alertname=Dead], target: ['severity=~"warning|info"'], equal: [service]}]
maintenance: [{name: Move, services: [catalog], from: 2020-01-01T00:00, to: 2099-01-01T00:00}]
"""
ALERTS = [
    {"labels": {"alertname": "Dead", "service": "payment", "severity": "critical"}},
    {"labels": {"alertname": "Slow", "service": "payment", "severity": "warning"}},
    {"labels": {"alertname": "Slow", "service": "login", "severity": "warning"}},
    {"labels": {"alertname": "Lone", "team": "x", "severity": "error"}, "annotations": {"summary": "alone"}},
    {"labels": {"alertname": "Far", "team": "x", "severity": "error", "region": "eu-1"}},
]
Answer = tuple[int, Any]
Run = Callable[..., str]


@dataclass(frozen=True)
class Pair:
    ours: Daemon
    theirs: str

    def both(self, method: str, path: str, body: Any = None) -> tuple[Answer, Answer]:
        return call(self.theirs, method, path, body), call(self.ours.url, method, path, body)


def call(base: str, method: str, path: str, body: Any = None) -> Answer:
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, read(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, read(error.read())


def read(body: bytes) -> Any:
    return json.loads(body) if body.strip() else None


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("beside")
    with running(workspace(folder / "shop", SETTINGS), folder / "state") as ours:
        original = call(ours.url, "GET", "/api/v2/status")[1]["config"]["original"]
        with alertmanager(folder, original) as theirs:
            made = Pair(ours, theirs)
            made.both("POST", "/api/v2/alerts", ALERTS)
            yield made


class alertmanager:
    """Debian's, with the configuration that we show."""

    def __init__(self, folder: Path, original: str) -> None:
        (folder / "alertmanager.yml").write_text(original, encoding="utf-8")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = (folder / "alertmanager.log").open("w")
        self.command = [
            "prometheus-alertmanager",
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]

    def __enter__(self) -> str:
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log)
        url = f"http://127.0.0.1:{self.port}"
        for _ in range(1200):
            try:
                call(url, "GET", "/api/v2/status")
                return url
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        raise AssertionError("Alertmanager did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)
        self.log.close()


NEWER = {"annotations", "mutedBy", "routeLabels"}  # keys that Debian's version does not know yet
CHANCE = {"startsAt", "endsAt", "updatedAt", "id", "silenceID"}  # what differs between two runs of the same


def shape(value: Any, keep: frozenset[str] = frozenset()) -> Any:
    if isinstance(value, list):
        return [shape(one, keep) for one in value]
    if isinstance(value, dict):
        return {
            name: "…" if name in CHANCE else shape(one, keep)
            for name, one in value.items()
            if name not in NEWER or name in keep
        }
    return value


def whole(found: list[Any]) -> list[Any]:
    """Two groups of the same labels and receiver, by two routes, stand there in any order."""
    shaped = [shape(one) for one in found]
    return sorted(shaped, key=json.dumps) if shaped and "alerts" in shaped[0] else shaped


QUERIES = [
    "", "?active=false", "?silenced=false", "?inhibited=false", "?unprocessed=false", "?active=", "?active=nonsense",
    "?active=false&inhibited=false", "?filter=alertname=Slow", "?filter=alertname%3D%22Slow%22", "?filter=team%21=x",
    "?filter=alertname=~S.*&filter=service!=login", "?filter=service%3D%22%22", "?filter=nope", "?filter={a=b}",
    "?filter=a=~(", "?filter=", "?filter=a%3D%22b", "?filter=a%3Db%22", "?filter=alertname%3D%5C", "?receiver=chat",
    "?receiver=pager", "?receiver=p.*|x", "?receiver=(", "?receiver=cha",
]  # fmt: skip


@pytest.mark.parametrize("path", ["/api/v2/alerts", "/api/v2/alerts/groups"])
@pytest.mark.parametrize("query", QUERIES)
def test_alerts_are_answered_as_alertmanager_does(pair: Pair, path: str, query: str) -> None:
    theirs, ours = pair.both("GET", path + query)
    assert ours[0] == theirs[0]
    if ours[0] == 200:
        assert whole(ours[1]) == whole(theirs[1])
    else:
        assert isinstance(ours[1], str) and isinstance(theirs[1], str)


def silence(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    base = {
        "matchers": [{"name": "nothing", "value": "here", "isRegex": False}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "mara",
        "comment": "why",
    }
    return {name: value for name, value in (base | changes).items() if value != "left out"}


def matcher(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "a", "value": "x", "isRegex": False} | changes]


BODIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "no-matchers": {"matchers": []},
    "matchers-left-out": {"matchers": "left out"},
    "matchers-null": {"matchers": None},
    "matchers-object": {"matchers": {"a": 1}},
    "matcher-number": {"matchers": [5]},
    "matcher-empty": {"matchers": [{}]},
    "matcher-without-kind": {"matchers": [{"name": "a", "value": "b"}]},
    "matches-empty": {"matchers": matcher(value="")},
    "regex-matches-empty": {"matchers": matcher(value=".*", isRegex=True)},
    "negative": {"matchers": matcher(isEqual=False)},
    "equal-null": {"matchers": matcher(isEqual=None)},
    "bad-regex": {"matchers": matcher(value="(", isRegex=True)},
    "name-empty": {"matchers": matcher(name="")},
    "name-number": {"matchers": matcher(name=5)},
    "kind-text": {"matchers": matcher(isRegex="no")},
    "comment-left-out": {"comment": "left out"},
    "comment-empty": {"comment": ""},
    "comment-number": {"comment": 5},
    "creator-left-out": {"createdBy": "left out"},
    "start-left-out": {"startsAt": "left out"},
    "start-empty": {"startsAt": ""},
    "start-zero": {"startsAt": "0001-01-01T00:00:00Z"},
    "start-number": {"startsAt": 5},
    "start-words": {"startsAt": "yesterday"},
    "end-left-out": {"endsAt": "left out"},
    "end-past": {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2020-01-02T00:00:00Z"},
    "end-before-start": {"endsAt": "2020-01-02T00:00:00Z"},
    "begun": {"startsAt": "2020-01-01T00:00:00Z"},
    "id-unknown": {"id": "11111111-1111-1111-1111-111111111111"},
    "id-nonsense": {"id": "nonsense"},
    "more-keys": {"extra": 1},
}


@pytest.mark.parametrize("name", BODIES)
def test_silences_are_taken_and_refused_as_alertmanager_does(pair: Pair, name: str) -> None:
    theirs, ours = pair.both("POST", "/api/v2/silences", silence(**BODIES[name]))
    assert (ours[0], type(ours[1])) == (theirs[0], type(theirs[1]))
    if isinstance(ours[1], dict) and ours[0] != 200:
        assert ours[1]["code"] == theirs[1]["code"]
        assert ours[0] == 400 or ours[1] == theirs[1]
    for base, (status, made) in ((pair.theirs, theirs), (pair.ours.url, ours)):
        if status == 200:
            _, found = call(base, "GET", f"/api/v2/silence/{made['silenceID']}")
            assert found["status"]["state"] == "active"
            assert call(base, "DELETE", f"/api/v2/silence/{made['silenceID']}") == (200, None)


def test_a_silence_is_shown_as_there_through_its_life(pair: Pair) -> None:
    for change in ({"comment": "longer"}, {"matchers": matcher()}, {"startsAt": "2099-01-01T00:00:00Z"}):
        ids = [answer[1]["silenceID"] for answer in pair.both("POST", "/api/v2/silences", silence())]
        shown = []
        for base, known in ((pair.theirs, ids[0]), (pair.ours.url, ids[1])):
            same = call(base, "GET", f"/api/v2/silence/{known}")[1]
            body = silence(**{"startsAt": same["startsAt"], "endsAt": "2099-06-01T00:00:00Z"} | change, id=known)
            made = call(base, "POST", "/api/v2/silences", body)[1]["silenceID"]
            states = [call(base, "GET", f"/api/v2/silence/{one}")[1]["status"]["state"] for one in (known, made)]
            shown.append((made == known, states, shape(call(base, "GET", f"/api/v2/silence/{made}")[1])))
            call(base, "DELETE", f"/api/v2/silence/{made}")
        assert shown[0] == shown[1]


@pytest.fixture
def amtool(pair: Pair, tmp_path: Path) -> Run:
    def run(*words: str, stdin: str | None = None) -> str:
        command = ["amtool", f"--alertmanager.url={pair.ours.url}", *words]
        environment = {**os.environ, "HOME": str(tmp_path)}
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=30, env=environment, check=True
        )
        return done.stdout.strip()

    return run


def test_amtool_adds_and_queries_alerts(amtool: Run) -> None:
    amtool("alert", "add", "alertname=ByHand", "severity=info", "--annotation=summary=by hand")
    assert "by hand" in amtool("alert", "query", "ByHand")
    assert "Dead" not in amtool("alert", "query", "ByHand")


def test_amtool_silences_updates_expires_and_imports(amtool: Run) -> None:
    made = amtool("silence", "add", "alertname=Lone", "--comment=known", "--duration=2h", "--author=mara")
    assert "Lone" not in amtool("alert", "query")
    [alert] = json.loads(amtool("alert", "query", "--silenced", "alertname=Lone", "-o", "json"))
    assert alert["status"]["silencedBy"] == [made]
    assert "longer" in amtool("silence", "update", "--comment=longer", "--duration=3h", made)
    exported = amtool("silence", "query", "-o", "json")
    assert [one["id"] for one in json.loads(exported)] == [made]
    amtool("silence", "expire", made)
    assert made not in amtool("silence", "query") and made in amtool("silence", "query", "--expired")
    assert "Lone" in amtool("alert", "query")
    imported = amtool("silence", "import", stdin=exported)
    assert amtool("silence", "query", "-q") == imported
    amtool("silence", "expire", imported)


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (["severity=critical"], "pager,chat"),
        (["severity=SEV2", "service=payment"], "pager,chat"),
        (["severity=Error", "service=login"], "chat"),
        (["severity=critical", "team=x"], "pager,chat"),
        (["severity=critical", "team=x", "region=eu-2"], "pager,chat"),
        (["severity=warning"], "chat"),
        (["severity=unheard of"], "chat"),
        ([], "chat"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_amtool_tests_routes_as_we_route(amtool: Run, pair: Pair, labels: list[str], receivers: str) -> None:
    assert amtool("config", "routes", "test", *labels) == receivers
    given = dict(label.split("=") for label in labels) | {"alertname": f"Route{len(labels)}"}
    call(pair.ours.url, "POST", "/api/v2/alerts", [{"labels": given}])
    query = "&".join(f"filter={name}%3D%22{value.replace(' ', '%20')}%22" for name, value in given.items())
    found = call(pair.ours.url, "GET", f"/api/v2/alerts?{query}")[1]
    assert ",".join(one["name"] for one in found[0]["receivers"]) == receivers


def test_amtool_shows_the_routes_and_that_there_is_no_cluster(amtool: Run) -> None:
    shown = amtool("config", "routes", "show")
    assert "receiver: pager" in shown and 'region=~"eu-.+"' in shown and 'severity=~"(?i)SEV1' in shown
    assert "disabled" in amtool("cluster", "show")


@pytest.fixture
def shopwatch(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("XDG_STATE_HOME", str(pair.ours.workspace.parent / "state"))
    monkeypatch.setenv("SHOPWATCH_URL", pair.ours.url)
    monkeypatch.delenv("SHOPWATCH_TOKEN", raising=False)
    return lambda *words: CliRunner().invoke(cli.shopwatch, list(words))


def test_the_command_line_silences_shows_and_ends(shopwatch: Callable[..., Result]) -> None:
    preview = shopwatch("silence", "add", "Lone", "team=~x|y", "--for", "1h", "--preview")
    assert preview.output.startswith("It would match 1 alert that fires now.")
    made = json.loads(shopwatch("silence", "add", "Lone", "--for", "1h", "--comment", "known", "--json").output)
    assert made["status"]["state"] == "active" and made["createdBy"] not in ("", "loopback")
    assert f"silence {made['id'][:8]}" in shopwatch("alert", "list", "--filter", "alertname=Lone").output
    assert made["id"][:8] in shopwatch("silence", "list").output
    shown = json.loads(shopwatch("silence", "show", made["id"][:8], "--json").output)
    assert [(one["kind"], one["via"]) for one in shown["record"]] == [("created", "cli")]
    assert shopwatch("silence", "expire", made["id"][:8]).output == f"{made['id']}: expired\n"
    assert made["id"][:8] not in shopwatch("silence", "list").output
    assert shopwatch("silence", "show", "ffffffff").exit_code == 4


def test_the_command_line_silences_again_and_again(shopwatch: Callable[..., Result]) -> None:
    words = ("silence", "add", "job=backup", "--cron", "0 2 * * *", "--for", "90m", "--time-zone", "Asia/Tokyo")
    done = shopwatch(*words, "--comment", "nightly")
    assert done.exit_code == 0 and "(0 2 * * *)" in done.output
    assert "It holds back 0 alerts now." in done.output
    assert "(0 2 * * *)" in shopwatch("silence", "list").output
    shopwatch("silence", "expire", done.output[:8])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("a=b", "--for", "1h"), 2),
        (("a=b", "--comment", "x"), 2),
        (("a=b", "--comment", "x", "--for", "soon"), 2),
        (("a=b", "--comment", "x", "--for", "1h", "--until", "2h"), 2),
        (("a=b", "--comment", "x", "--for", "1h", "--time-zone", "UTC"), 2),
        (("a=~(", "--comment", "x", "--for", "1h"), 2),
        (("a=~.*", "--comment", "x", "--for", "1h"), 4),
        (("a=b", "--comment", "x", "--for", "1h", "--cron", "never"), 4),
    ],
    ids=["no-comment", "no-end", "no-duration", "two-ends", "zone-alone", "bad-regex", "matches-all", "bad-cron"],
)
def test_a_silence_that_makes_no_sense_is_refused_with_a_word(
    shopwatch: Callable[..., Result], words: tuple[str, ...], code: int
) -> None:
    done = shopwatch("silence", "add", *words)
    assert done.exit_code == code and done.output


def test_maintenance_is_listed_and_mutes(shopwatch: Callable[..., Result], pair: Pair) -> None:
    call(pair.ours.url, "POST", "/api/v2/alerts", [{"labels": {"alertname": "Gone", "service": "catalog"}}])
    assert "maintenance: Move" in shopwatch("alert", "list", "--filter", "service=catalog").output
    [window] = json.loads(shopwatch("maintenance", "list", "--json").output)
    assert (window["name"], window["open"], window["services"]) == ("Move", True, ["catalog"])
    assert "Move" in shopwatch("maintenance", "list").output
