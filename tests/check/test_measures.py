"""Orders that a journey is to read: it exists, saves them, often enough, and under a name that may be told."""

from pathlib import Path

import pytest

from drills.checks import check_workspace
from tests.check.good import workspace

SETTINGS = """\
shop: {name: Shop}
services:
  login:
    title: Sign-in
    orders_per_minute: {journey: home, value: %s}
"""
JOURNEY = """\
journey: home
service: login
every: %s
base: https://shop.example
steps:
  - get: /
    save: {orders: {html: "#orders"}, session_orders: status, shown: {cookie: orders}, visits: {html: "#visits"}}
  - get: /
cleanup:
  - get: /
    save: {undone: status}
"""


@pytest.mark.parametrize(
    ("value", "every", "said"),
    [
        ("orders", "30m", []),
        ("order", "5m", ['value: no step of the journey "home" saves "order" (did you mean "orders"?)']),
        (
            "undone",
            "5m",
            ['value: no step of the journey "home" saves "undone" (it saves orders, session_orders, shown or visits)'],
        ),
        (
            "session_orders",
            "5m",
            [
                'value: "session_orders" is never told: it is saved from what sounds like a secret '
                "(save it under another name)"
            ],
        ),
        (
            "shown",
            "5m",
            ['value: "shown" is never told: it is saved from what sounds like a secret (save it under another name)'],
        ),
        (
            "orders",
            "2h",
            [
                "journey: warning: runs every 2h: too seldom to say what is usual in an hour (let it run every 5m)",
            ],
        ),
    ],
    ids=["well", "unknown", "only cleanup saves it", "a secret's name", "a cookie", "too seldom"],
)
def test_check_says_what_is_wrong_with_a_measure(value: str, every: str, said: list[str], tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    (folder / "shopwatch.yaml").write_text(SETTINGS % value)
    (folder / "probes" / "home.yaml").write_text(JOURNEY % every)
    found = [str(mistake) for mistake in check_workspace(folder, {}).mistakes]
    assert found == [f"shopwatch.yaml:5: services.login.orders_per_minute.{one}" for one in said]
