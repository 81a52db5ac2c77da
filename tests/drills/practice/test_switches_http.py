"""Every switch, through HTTP: the shop works before, is broken while it is on, and works after."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from drills.practice.launch import Practice
from drills.practice.shop import neighbours
from drills.practice.switches import SWITCHES
from tests.drills.practice.shopper import Shopper

Works = Callable[[Shopper], bool]


def signs_in(shopper: Shopper) -> bool:
    shopper.client.cookies.clear()
    answer = shopper.sign_in()
    assert answer.status_code == 200  # also where it is refused: shops do not answer 401 to a form
    return shopper.page.css_first("#logout_form") is not None


def keeps_the_session(shopper: Shopper) -> bool:
    shopper.fill("TEA-1")
    shopper.to_review()
    return shopper.page.css_first("#payment_form") is not None


def shows_products(shopper: Shopper) -> bool:
    assert shopper.get("/catalogue/").status_code == 200
    count: int = shopper.client.get("/api/products").json()["count"]
    assert count == len(shopper.page.css(".product"))
    return count > 0


def adds_up(shopper: Shopper) -> bool:
    shopper.fill("TEA-1")
    shopper.to_review()
    items, shipping, discount, tax, total = (
        shopper.amount(name) for name in ("items", "shipping", "discount", "tax", "total")
    )
    return items + shipping - discount + tax == total


def keeps_lines(shopper: Shopper) -> bool:
    shopper.fill("TEA-1", "CUP-1")
    return len(shopper.client.get("/api/cart").json()["lines"]) == 2


def takes_coupons(shopper: Shopper) -> bool:
    shopper.fill("TEA-1")
    answer = shopper.api("POST", "/api/cart/coupon", {"code": "TEATIME"})
    assert answer.status_code == 200
    return bool(answer.json()["discount"] > 0)


def writes_one_order(shopper: Shopper) -> bool:
    shopper.sign_in()
    before = shopper.client.get("/api/orders").json()["count"]
    shopper.buy("on_delivery")
    return bool(shopper.client.get("/api/orders").json()["count"] == before + 1)


def takes_payments(shopper: Shopper) -> bool:
    answer = shopper.buy()
    assert answer.status_code in (200, 502, 504)
    return answer.status_code == 200 and shopper.page.css_first("#order_number") is not None


def is_paid(shopper: Shopper) -> bool:
    shopper.buy()
    try:
        shopper.becomes("Paid", within=4)
    except AssertionError:
        assert shopper.order()["state"] == "Awaiting payment"
        return False
    return True


def parcels_move(shopper: Shopper) -> bool:
    shopper.buy("on_delivery")
    try:
        shopper.becomes("Shipped", within=4)
    except AssertionError:
        assert shopper.order()["tracking"]["synced_at"] is not None
        return False
    return True


def answers_fast(shopper: Shopper) -> bool:
    started = time.monotonic()
    shopper.get("/")
    return time.monotonic() - started < 1.5


def answers_well(shopper: Shopper) -> bool:
    return shopper.get("/").status_code == 200


def answers_at_all(shopper: Shopper) -> bool:
    try:
        return shopper.client.get("/", timeout=2).status_code == 200
    except httpx.ReadTimeout:
        return False


PROOFS: dict[str, tuple[object, Works]] = {
    "signin_refuses": (True, signs_in),
    "session_lost": (True, keeps_the_session),
    "catalogue_empty": (True, shows_products),
    "wrong_total": (True, adds_up),
    "basket_loses_lines": (True, keeps_lines),
    "coupon_ignored": (True, takes_coupons),
    "order_doubled": (True, writes_one_order),
    "slow": ("2s", answers_fast),
    "error_rate": (1, answers_well),
    "hang": (True, answers_at_all),
    "psp_declines": (True, takes_payments),
    "psp_delay": (f"{neighbours.PATIENCE + 1:g}s", takes_payments),
    "psp_errors": (True, takes_payments),
    "callback_lost": (True, is_paid),
    "carrier_frozen": (True, parcels_move),
    "carrier_lag": ("60s", parcels_move),
}


def test_every_switch_has_its_proof() -> None:
    assert set(PROOFS) == set(SWITCHES)


@pytest.mark.by_the_clock
@pytest.mark.parametrize("name", PROOFS)
def test_a_switch_breaks_the_shop_until_it_is_taken_out(name: str, practice: Practice, shopper: Shopper) -> None:
    value, works = PROOFS[name]
    assert works(shopper)
    with switched(practice, name, value):
        assert not works(shopper)
    assert works(shopper)


@contextmanager
def switched(practice: Practice, name: str, value: object) -> Iterator[None]:
    assert put(practice, {"name": name, "value": value}).status_code == 200
    yield
    assert put(practice, {"name": name, "value": False}).json()["active"] == []


def put(practice: Practice, document: object, token: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {practice.token if token is None else token}"}
    url = f"{practice.urls['shop']}/_practice/switches"
    return httpx.put(url, json=document, headers=headers, trust_env=False)


@pytest.mark.by_the_clock
def test_a_lease_ends_by_itself(practice: Practice, shopper: Shopper) -> None:
    for name in ("signin_refuses", "psp_declines"):
        assert put(practice, {"name": name, "value": True, "lease": 4}).status_code == 200
    assert not signs_in(shopper)
    for works in (signs_in, takes_payments):  # the second lease began, and so ends, a little later
        end = time.monotonic() + 60
        while not works(shopper):
            assert time.monotonic() < end, "the lease did not end"
            time.sleep(0.1)


def test_a_hanging_request_goes_on_when_the_shop_does(practice: Practice, shopper: Shopper) -> None:
    put(practice, {"name": "hang", "value": True, "lease": "500ms"})
    assert shopper.get("/").status_code == 200


@pytest.mark.by_the_clock
def test_slow_payments_within_the_shops_patience_are_only_slow(practice: Practice, shopper: Shopper) -> None:
    with switched(practice, "psp_delay", "500ms"):
        assert takes_payments(shopper)


def test_a_payment_that_was_not_answered_in_time_is_still_booked(practice: Practice, shopper: Shopper) -> None:
    with switched(practice, "psp_delay", f"{neighbours.PATIENCE + 0.3:g}s"):
        assert shopper.buy().status_code == 504
        assert shopper.text("#order_state") == "Awaiting payment"
        shopper.becomes("Paid")


def test_the_lists_of_active_switches_are_put_together(practice: Practice, shopper: Shopper) -> None:
    put(practice, {"name": "carrier_lag", "value": "1m", "lease": "10m"})
    answer = put(practice, {"name": "error_rate", "value": 0.0001})
    shown = {setting["name"]: setting["value"] for setting in answer.json()["active"]}
    assert shown == {"carrier_lag": "1m", "error_rate": 0.0001}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"name": "sign_in", "value": True}, "there is no switch 'sign_in'"),
        ({"name": "hang", "value": "yes"}, "neither true nor false"),
        ({"name": "slow", "value": 300}, "is not a duration"),
        ({"name": "error_rate", "value": 2}, "not a number from 0 to 1"),
        ({"name": "error_rate", "value": True}, "not a number from 0 to 1"),
        ({"name": "psp_delay", "value": "2h"}, "longer than 1h"),
        ({"name": "psp_declines", "value": True, "lease": -1}, "lease: -1 is not between"),
        ({"name": "hang", "value": True, "for": "1m"}, "the body must be"),
        ([1], "the body must be"),
    ],
)
def test_what_a_switch_cannot_be_is_refused(practice: Practice, shopper: Shopper, document: object, said: str) -> None:
    answer = put(practice, document)
    assert (answer.status_code, said in answer.json()["error"]) == (400, True)


@pytest.mark.by_the_clock
def test_switches_need_their_token(practice: Practice, shopper: Shopper) -> None:
    assert put(practice, {"name": "hang", "value": True}, token="guess").status_code == 401
    assert answers_at_all(shopper)
