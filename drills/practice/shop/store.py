"""All that the shop remembers, in memory: it is gone when the process ends, and old things make room for new ones."""

import secrets
from collections import OrderedDict
from datetime import datetime

from drills.practice.shop.goods import PRODUCTS
from drills.practice.shop.model import COUPONS, MOST_OF_ONE, Basket, Customer, Line, Order, Session

MOST_SESSIONS = 5000
MOST_ORDERS = 5000
FIRST_ORDER = 1001

CUSTOMERS = ("buyer@example.com", *(f"buyer{n}@example.com" for n in range(2, 13)))
STAFF = ("staff@example.com",)


class Store:
    """Sessions by cookie, customers by address, orders by number."""

    def __init__(self, password: str) -> None:
        self.customers = {email: Customer(email, email.split("@")[0].title(), password) for email in CUSTOMERS}
        self.customers |= {email: Customer(email, "Staff", password, staff=True) for email in STAFF}
        self.sessions: OrderedDict[str, Session] = OrderedDict()
        self.orders: OrderedDict[int, Order] = OrderedDict()
        self.attempts: OrderedDict[str, int] = OrderedDict()  # payment attempt -> order number
        self.synced_at: datetime | None = None  # the last good look at the carrier's feed
        self.newest_scan: datetime | None = None
        self._next = FIRST_ORDER
        self._prefix = secrets.token_hex(4)  # tells this life of the shop from an earlier one, at its neighbours

    def open_session(self) -> Session:
        session = Session(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
        self.sessions[session.id] = session
        while len(self.sessions) > MOST_SESSIONS:
            self.sessions.popitem(last=False)
        return session

    def session(self, cookie: str | None) -> Session | None:
        found = self.sessions.get(cookie or "")
        if found is not None:
            self.sessions.move_to_end(found.id)
        return found

    def close_session(self, session: Session) -> None:
        self.sessions.pop(session.id, None)

    def sign_in(self, session: Session, customer: Customer) -> Session:
        """A new session with a new CSRF token; what was in the visitor's basket joins the customer's."""
        self.close_session(session)
        fresh = self.open_session()
        fresh.customer = customer
        for sku, quantity in session.basket.lines.items():
            customer.basket.lines[sku] = min(MOST_OF_ONE, customer.basket.lines.get(sku, 0) + quantity)
        customer.basket.coupon = customer.basket.coupon or session.basket.coupon
        return fresh

    def reference(self, order: Order) -> str:
        """What the payment provider and the carrier know an order by."""
        return f"{self._prefix}-{order.number}"

    def order_of(self, reference: str) -> Order | None:
        prefix, _, number = reference.partition("-")
        return self.orders.get(int(number)) if prefix == self._prefix and number.isdigit() else None

    def next_number(self) -> int:
        self._next += 1
        return self._next - 1

    def add_order(self, order: Order) -> None:
        self.orders[order.number] = order
        order.customer.ordered += 1
        while len(self.orders) > MOST_ORDERS:
            self.orders.popitem(last=False)

    def drop_order(self, order: Order) -> None:
        """As if it had never been placed."""
        if self.orders.pop(order.number, None) is not None:
            order.customer.ordered -= 1

    def remember_attempt(self, attempt: str, number: int) -> None:
        self.attempts[attempt] = number
        while len(self.attempts) > MOST_ORDERS:
            self.attempts.popitem(last=False)

    def orders_of(self, customer: Customer) -> list[Order]:
        """Newest first."""
        return [order for order in reversed(self.orders.values()) if order.customer is customer]

    def visible_order(self, number: int, customer: Customer) -> Order | None:
        """Customers see their own, staff see all."""
        order = self.orders.get(number)
        return order if order and (order.customer is customer or customer.staff) else None


def basket_lines(basket: Basket) -> list[Line]:
    return [Line(sku, PRODUCTS[sku].title, PRODUCTS[sku].price, quantity) for sku, quantity in basket.lines.items()]


def known_coupon(code: str) -> str | None:
    code = code.strip().upper()
    return code if code in COUPONS else None
