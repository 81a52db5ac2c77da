"""What a caller could make as large as it likes, is bounded; and what is tried on thousands of alerts, is small."""

import time
from collections.abc import Iterator

import pytest

from incident.settings import Settings
from incident.silences import keeping
from tests.incident.conftest import SHOP
from tests.incident.hardened.in_process import InProcess, in_process
from tests.incident.web.conftest import MORE

HUGE = {
    "many classes": r"(\pL|\pN)*" * 400,
    "counted classes": r"[\pL\pN]{9}" * 350,
    "dots": ".*" * 2000 + "x",
    "counted": "(a|b|c){30,90}" * 250,
    "long": "a" * 5000,
    "nested counts": "((a{1,30}){1,30}){1,30}",
}
LATER = {"startsAt": "2099-01-01T00:00:00Z", "endsAt": "2099-01-02T00:00:00Z", "createdBy": "x", "comment": "x"}


MATCHER = {"name": "a", "value": "b", "isRegex": False}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("capped"), Settings.model_validate({**SHOP, **MORE})) as made:
        alerts = [{"labels": {"alertname": "x" * 2000, "n": str(n)}} for n in range(2000)]
        assert made.request("POST", "/api/v2/alerts", json=alerts).status_code == 200
        yield made


@pytest.mark.by_the_clock
@pytest.mark.parametrize("regex", HUGE)
def test_a_monstrous_regex_is_refused_or_soon_done(app: InProcess, regex: str) -> None:
    asked = [("/api/v2/alerts", {"filter": f'alertname=~"{HUGE[regex]}"'.replace("\\", "\\\\")})]
    asked += [("/api/v2/alerts", {"receiver": HUGE[regex]}), ("/api/v2/alerts/groups", {"receiver": HUGE[regex]})]
    for path, query in asked:
        began = time.monotonic()
        response = app.request("GET", path, params=query)
        assert response.status_code in (200, 400)
        assert len(response.content) < 10_000 or response.status_code == 200
        assert time.monotonic() - began < 3
    matcher = {"name": "alertname", "value": HUGE[regex], "isRegex": True}
    assert app.request("POST", "/api/v2/silences", json={"matchers": [matcher], **LATER}).status_code in (200, 400)


def test_many_small_regexes_are_no_way_around_it(app: InProcess) -> None:
    params = [("filter", 'alertname=~".*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*y"')]
    assert app.request("GET", "/api/v2/alerts", params=params * 2).status_code == 200
    assert app.request("GET", "/api/v2/alerts", params=params * 80).status_code == 400
    assert app.request("GET", "/api/v2/silences", params=params * 80).status_code == 400
    many = [{"name": "alertname", "value": "a" * 100, "isRegex": True}] * 60
    assert app.request("POST", "/api/v2/silences", json={"matchers": many, **LATER}).status_code == 400


def test_silences_do_not_grow_without_end(app: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST", 12)
    body = {"matchers": [{"name": "a", "value": "b", "isRegex": False}], **LATER}
    statuses = [app.request("POST", "/api/v2/silences", json=body).status_code for _ in range(14)]
    assert statuses[0] == 200 and statuses[-1] == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v2/alerts", [{"labels": {f"l{n}": "x" for n in range(100)}}]),
        ("/api/v2/alerts", [{"labels": {"a": "x" * 20_000}}]),
        ("/api/v2/alerts", [{"labels": {"a" * 300: "x"}}]),
        ("/api/v2/alerts", [{"labels": {"a": "x"}, "annotations": {"b": "x" * 20_000}}]),
        ("/hooks/alertmanager", {"alerts": [{"status": "firing", "labels": {"a": "b"}}] * 1001}),
        ("/hooks/alertmanager", {"alerts": [{"status": "firing", "labels": {f"l{n}": "x" for n in range(100)}}]}),
        ("/api/v2/silences", {"matchers": [{"name": "a", "value": "b", "isRegex": False}] * 65, **LATER}),
        ("/api/v2/silences", {"matchers": [{"name": "a" * 300, "value": "b", "isRegex": False}], **LATER}),
        ("/api/v2/silences", {"matchers": [MATCHER], **LATER, "comment": "x" * 20_000}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_too_much_is_refused(app: InProcess, path: str, body: object) -> None:
    assert app.request("POST", path, json=body).status_code in (400, 413)
