"""The practice shop when nothing is broken."""

from decimal import Decimal

from drills.practice.launch import Practice
from tests.drills.practice.shopper import Shopper


def test_a_shopper_buys_by_card_and_the_order_is_paid_and_delivered(shopper: Shopper) -> None:
    shopper.fill("TEA-1", "CUP-1")
    assert shopper.text("#basket-count") == "2"
    shopper.to_review()
    assert shopper.submit("#payment_form").status_code == 200
    assert shopper.text("#order_state") == "Awaiting payment"
    states = [entry["state"] for entry in shopper.becomes("Delivered")["history"]]
    assert states == ["Awaiting payment", "Paid", "Picked", "Shipped", "Out for delivery", "Delivered"]


def test_the_sums_add_up_with_a_coupon(shopper: Shopper) -> None:
    shopper.fill("TEA-2", "CUP-1")
    shopper.get("/basket/")
    shopper.submit("#coupon_form", code="welcome10")
    shopper.to_review()
    parts = {name: shopper.amount(name) for name in ("items", "shipping", "discount", "tax", "total")}
    assert parts["items"] == Decimal("22.44")
    assert parts["discount"] == Decimal("2.24")
    assert parts["items"] + parts["shipping"] - parts["discount"] + parts["tax"] == parts["total"]


def test_wrong_passwords_give_the_page_again(shopper: Shopper) -> None:
    answer = shopper.sign_in(password="guess")
    assert answer.status_code == 200
    assert "do not go together" in shopper.text("[role=alert]")


def test_the_csrf_token_and_the_session_change_at_sign_in(shopper: Shopper) -> None:
    before = shopper.client.get("/api/session").json()["csrf"]
    cookie = shopper.client.cookies["session"]
    shopper.sign_in()
    assert shopper.client.get("/api/session").json()["csrf"] != before
    assert shopper.client.cookies["session"] != cookie


def test_a_form_without_its_csrf_token_is_refused(shopper: Shopper) -> None:
    shopper.sign_in()
    answer = shopper.client.post("/basket/add", data={"sku": "TEA-1", "quantity": "1"})
    assert answer.status_code == 403
    assert shopper.client.post("/api/cart/items", json={"sku": "TEA-1"}).status_code == 403


def test_a_basket_is_changed_and_emptied(shopper: Shopper) -> None:
    shopper.fill("TEA-1", "CUP-1")
    shopper.get("/basket/")
    shopper.submit("form.change", quantity="3")
    assert shopper.client.get("/api/cart").json()["pieces"] == 4
    shopper.submit("form.remove")
    assert [line["sku"] for line in shopper.client.get("/api/cart").json()["lines"]] == ["CUP-1"]
    shopper.submit("#empty_form")
    assert shopper.client.get("/api/cart").json()["lines"] == []


def test_a_visitors_basket_comes_along_at_sign_in(shopper: Shopper) -> None:
    shopper.fill()
    shopper.submit("#logout_form")
    assert shopper.page.css_first("#logout_form") is None
    shopper.get("/products/BOOK-1")
    shopper.submit("#add_form")
    shopper.sign_in()
    assert [line["sku"] for line in shopper.client.get("/api/cart").json()["lines"]] == ["BOOK-1"]


def test_checkout_asks_for_sign_in_and_leads_back(shopper: Shopper) -> None:
    shopper.fill("TEA-1")
    shopper.submit("#logout_form")
    shopper.get("/checkout/")
    assert shopper.page.css_first("#login_form") is not None
    shopper.submit("#login_form", email="buyer@example.com", password="practice")
    assert shopper.page.css_first("#address_form") is not None


def test_sign_in_does_not_lead_to_another_site(shopper: Shopper) -> None:
    shopper.get("/account/login?next=//evil.example/")
    answer = shopper.submit("#login_form", email="buyer@example.com", password="practice")
    assert answer.url.path == "/orders/"


def test_a_declined_card_leaves_basket_and_no_order(shopper: Shopper) -> None:
    shopper.sign_in()
    before = shopper.client.get("/api/orders").json()["count"]
    shopper.buy(card="4000 0000 0000 0002")
    assert "declined" in shopper.text("[role=alert]")
    assert shopper.client.get("/api/orders").json()["count"] == before
    assert shopper.client.get("/api/cart").json()["pieces"] == 1


def test_the_payment_form_sent_twice_is_one_order(shopper: Shopper) -> None:
    shopper.fill("TEA-1")
    review = shopper.to_review()
    first = shopper.submit("#payment_form").url
    shopper.answer = review
    assert shopper.submit("#payment_form").url == first


def test_a_paid_order_is_cancelled_and_refunded(shopper: Shopper) -> None:
    shopper.buy()
    shopper.becomes("Paid")
    shopper.get(f"/orders/{shopper.text('#order_number')}")
    shopper.submit("#cancel_form")
    assert shopper.text("#order_state") == "Refunded"


def test_cancelling_twice_is_fine_and_a_delivered_order_is_for_staff(shopper: Shopper) -> None:
    shopper.buy("on_delivery")
    number = shopper.order()["number"]
    shopper.becomes("Delivered")
    assert shopper.api("POST", f"/api/orders/{number}/cancel").status_code == 409
    shopper.sign_in("staff@example.com")
    assert shopper.api("POST", f"/api/orders/{number}/refund").json()["state"] == "Cancelled"
    assert shopper.api("POST", f"/api/orders/{number}/cancel").status_code == 200


def test_an_order_is_shown_to_its_customer_only(shopper: Shopper) -> None:
    shopper.buy("on_delivery")
    number = shopper.order()["number"]
    shopper.sign_in("buyer2@example.com")
    assert shopper.client.get(f"/orders/{number}").status_code == 404
    assert shopper.client.get(f"/api/orders/{number}").status_code == 404


def test_the_order_says_when_the_carrier_was_last_heard(shopper: Shopper) -> None:
    shopper.buy("on_delivery")
    order = shopper.becomes("Shipped")
    assert order["tracking"]["newest_scan"] == order["tracking"]["scans"][-1]
    shopper.get(f"/orders/{order['number']}")
    for selector in ("#newest_scan", "#synced_at"):
        assert "T" in shopper.attribute(selector, "datetime")


def test_a_forged_callback_is_refused(practice: Practice, shopper: Shopper) -> None:
    body = b'{"event": "captured", "payment": {"reference": "x-1001", "id": "pay_1"}}'
    for signature in ("", "t=1,v1=00", "t=x", "v1=é"):
        headers = {b"X-Payment-Signature": signature.encode()}
        answer = shopper.client.post("/callbacks/payment", content=body, headers=headers)
        assert answer.status_code == 401


def test_nonsense_is_refused_politely(shopper: Shopper) -> None:
    shopper.sign_in()
    assert shopper.get("/products/NOPE").status_code == 404
    assert shopper.get("/orders/99999999").status_code == 404
    shopper.get("/products/TEA-1")
    assert shopper.submit("#add_form", quantity="99").status_code == 400
    assert shopper.submit_raw("/basket/add", b"x" * 300_000).status_code == 413
    assert shopper.api("POST", "/api/cart/items", [1]).status_code == 409
