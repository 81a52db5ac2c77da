"""Checkout and the orders that come of it."""

import uuid

from starlette.responses import Response

from drills.practice.shop.logistics import tracking_of
from drills.practice.shop.model import Order
from drills.practice.shop.store import basket_lines
from drills.practice.shop.trade import PaymentDeclined, PaymentFailed, PaymentUnclear, Refused
from drills.practice.shop.visit import Visit

ADDRESS = ("name", "street", "city", "postcode", "country")
COUNTRIES = ("United Kingdom", "Ireland", "Germany", "China")
METHODS = ("card", "on_delivery")


def read_address(fields: dict[str, str]) -> dict[str, str]:
    """Raises Refused."""
    missing = [name for name in ADDRESS if not fields.get(name)]
    if missing:
        raise Refused(f"Please fill in: {', '.join(missing)}.")
    if fields["country"] not in COUNTRIES:
        raise Refused("We do not deliver to that country.")
    return {name: fields[name] for name in ADDRESS}


async def address(visit: Visit) -> Response:
    customer = visit.customer
    if not customer.basket.lines:
        return visit.go("/basket/", "Your basket is empty.")
    known = visit.session.address or {"name": customer.name, "country": COUNTRIES[0]}
    if visit.request.method == "GET":
        return visit.render("address.html", address=known, countries=COUNTRIES)
    if visit.shop.board.on("session_lost"):
        visit.shop.store.close_session(visit.session)
        visit.session = visit.shop.store.open_session()
        return visit.go("/account/login?next=/checkout/")
    fields = {name: visit.text(name) for name in ADDRESS}
    try:
        visit.session.address = read_address(fields)
    except Refused as error:
        return visit.render("address.html", 400, address=fields, countries=COUNTRIES, error=str(error))
    return visit.go("/checkout/review")


async def review(visit: Visit) -> Response:
    customer = visit.customer
    if not customer.basket.lines:
        return visit.go("/basket/", "Your basket is empty.")
    if not visit.session.address:
        return visit.go("/checkout/")
    return _review(visit)


def _review(visit: Visit, status: int = 200, error: str | None = None) -> Response:
    visit.session.attempt = visit.session.attempt or uuid.uuid4().hex
    basket = visit.customer.basket
    return visit.render(
        "review.html",
        status,
        lines=basket_lines(basket),
        totals=visit.shop.trade.totals(basket),
        address=visit.session.address,
        attempt=visit.session.attempt,
        error=error,
    )


async def pay(visit: Visit) -> Response:
    """Places the order. The same form sent twice leads to the same order."""
    customer, method, attempt = visit.customer, visit.text("method"), visit.text("attempt")
    if visit.shop.store.attempts.get(attempt) is None and (
        not visit.session.address or attempt != visit.session.attempt
    ):
        return visit.go("/checkout/")
    if method not in METHODS:
        return _review(visit, 400, "Please choose how to pay.")
    card = visit.text("card").replace(" ", "")
    if method == "card" and not (card.isascii() and card.isdigit() and 12 <= len(card) <= 19):
        return _review(visit, 400, "Please check the card number.")
    try:
        order = await visit.shop.trade.place(customer, visit.session.address, method, card, attempt, run=visit.run)
    except PaymentDeclined as error:
        visit.session.attempt = None  # another card is another attempt
        return _review(visit, 200, str(error))
    except PaymentFailed as error:
        return _review(visit, 502, str(error))
    except PaymentUnclear as error:
        return _order(visit, error.order, 504, str(error))
    visit.session.attempt = None
    return visit.go(f"/orders/{order.number}", "Thank you. Your order is placed.")


async def orders(visit: Visit) -> Response:
    return visit.render("orders.html", orders=visit.shop.store.orders_of(visit.customer)[:50], heading="Your orders")


async def all_orders(visit: Visit) -> Response:
    if not visit.customer.staff:
        raise Refused("This page is for staff.")
    return visit.render("orders.html", orders=list(visit.shop.store.orders.values())[-200:][::-1], heading="All orders")


async def order(visit: Visit) -> Response:
    return _order(visit, visit.order())


def _order(visit: Visit, shown: Order, status: int = 200, error: str | None = None) -> Response:
    tracking = tracking_of(shown, visit.shop.store)
    return visit.render("order.html", status, order=shown, tracking=tracking, error=error)


async def cancel(visit: Visit) -> Response:
    found = visit.order()
    try:
        await visit.shop.trade.cancel(found)
    except Refused as error:
        return _order(visit, found, 409, str(error))
    return visit.go(f"/orders/{found.number}", f"Order {found.number} is cancelled.")


async def refund(visit: Visit) -> Response:
    found = visit.order()
    if not visit.customer.staff:
        raise Refused("Please ask us for a refund.")
    try:
        await visit.shop.trade.refund(found)
    except Refused as error:
        return _order(visit, found, 409, str(error))
    return visit.go(f"/orders/{found.number}", f"Order {found.number} is refunded.")
