"""What the shop does with baskets and orders, whichever page or API asked for it; the faults of the trade live here."""

from dataclasses import replace
from datetime import UTC, datetime

from drills.errors import DrillsError
from drills.practice.calling import CallFailed, CallTimedOut
from drills.practice.shop.goods import PRODUCTS
from drills.practice.shop.model import (
    AWAITING,
    CANCELLED,
    CONFIRMED,
    MOST_OF_ONE,
    PAID,
    REFUNDED,
    Basket,
    Customer,
    Order,
    Totals,
    compute,
)
from drills.practice.shop.neighbours import Carrier, Provider
from drills.practice.shop.store import Store, basket_lines
from drills.practice.switches import Switchboard


class Refused(DrillsError):
    """The shop does not do that; the text is for the shopper."""


class PaymentDeclined(Refused):
    """The payment provider said no."""


class PaymentFailed(Refused):
    """The payment provider did not work; nothing was taken."""


class PaymentUnclear(Refused):
    """The payment provider did not answer in time: it may have taken the money. `order` waits for its word."""

    def __init__(self, text: str, order: Order) -> None:
        super().__init__(text)
        self.order = order


class Trade:
    def __init__(self, store: Store, board: Switchboard, provider: Provider, carrier: Carrier) -> None:
        self.store = store
        self.board = board
        self.provider = provider
        self.carrier = carrier

    def totals(self, basket: Basket) -> Totals:
        return compute(
            basket_lines(basket),
            basket.coupon,
            ignore_coupon=self.board.on("coupon_ignored"),
            forget_tax=self.board.on("wrong_total"),
        )

    def add(self, basket: Basket, sku: str, quantity: int) -> None:
        """Raises Refused."""
        if sku not in PRODUCTS:
            raise Refused("There is no such product.")
        if self.board.on("basket_loses_lines"):
            basket.lines = {known: pieces for known, pieces in basket.lines.items() if known == sku}
        self.change(basket, sku, basket.lines.get(sku, 0) + quantity)

    def change(self, basket: Basket, sku: str, quantity: int) -> None:
        """Sets the pieces of a product; 0 takes it out. Raises Refused."""
        if sku not in PRODUCTS:
            raise Refused("There is no such product.")
        if not 0 <= quantity <= MOST_OF_ONE:
            raise Refused(f"We sell up to {MOST_OF_ONE} pieces of a product at a time.")
        if quantity:
            basket.lines[sku] = quantity
        else:
            basket.lines.pop(sku, None)

    async def place(
        self,
        customer: Customer,
        address: dict[str, str],
        method: str,
        card: str,
        attempt: str,
        *,
        run: str | None = None,
    ) -> Order:
        """Turns the customer's basket into an order and, by card, asks for its payment. The same `attempt` again is
        the same order. Raises Refused and its kin; after anything but PaymentUnclear there is no order."""
        known = self.store.orders.get(self.store.attempts.get(attempt, 0))
        if known is not None:
            return known
        basket = customer.basket
        if not basket.lines:
            raise Refused("Your basket is empty.")
        order = self._write(customer, address, method, run)
        self.store.remember_attempt(attempt, order.number)
        if method == "card":
            await self._pay(order, card, attempt)
        if self.board.on("order_doubled"):
            self.store.add_order(replace(order, number=self.store.next_number(), payment=None, scans=[]))
        customer.basket = Basket()
        return order

    def _write(self, customer: Customer, address: dict[str, str], method: str, run: str | None) -> Order:
        now = datetime.now(UTC)
        order = Order(
            number=self.store.next_number(),
            customer=customer,
            lines=basket_lines(customer.basket),
            totals=self.totals(customer.basket),
            address=dict(address),
            method=method,
            state="",
            placed_at=now,
            run=run,
        )
        order.move(AWAITING if method == "card" else CONFIRMED, now)
        self.store.add_order(order)
        return order

    async def _pay(self, order: Order, card: str, attempt: str) -> None:
        try:
            answer = await self.provider.pay(self.store.reference(order), order.totals.total, card, attempt)
        except CallTimedOut as error:
            order.customer.basket = Basket()
            text = f"The payment provider has not answered. Order {order.number} waits for it: please do not pay again."
            raise PaymentUnclear(text, order) from error
        except CallFailed as error:
            self._forget(order, attempt)
            raise PaymentFailed("The payment provider does not work at the moment. Nothing was charged.") from error
        if answer is None:
            self._forget(order, attempt)
            raise PaymentDeclined("Your payment was declined. Please try another card.")
        order.payment = answer

    def _forget(self, order: Order, attempt: str) -> None:
        self.store.drop_order(order)
        self.store.attempts.pop(attempt, None)

    def captured(self, reference: str, payment: str) -> bool:
        """The provider's callback. False where the order is not known."""
        order = self.store.order_of(reference)
        if order is None:
            return False
        order.payment = payment
        if order.state == AWAITING:
            order.move(PAID, datetime.now(UTC))
        return True

    async def cancel(self, order: Order) -> None:
        """Cancelled, or refunded where it was paid. Doing it twice is fine. Raises Refused."""
        if order.state in (CANCELLED, REFUNDED):
            return
        if not order.can_cancel:
            raise Refused("A delivered order cannot be cancelled. Please ask us for a refund.")
        await self._unwind(order)

    async def refund(self, order: Order) -> None:
        """For staff: also after delivery. Raises Refused."""
        if order.state not in (CANCELLED, REFUNDED):
            await self._unwind(order)

    async def _unwind(self, order: Order) -> None:
        try:
            if order.payment:
                await self.provider.refund(order.payment)
            if order.parcel:
                await self.carrier.recall(order.parcel)
        except CallFailed as error:
            raise Refused("This does not work at the moment. Please try again later.") from error
        order.move(REFUNDED if order.payment else CANCELLED, datetime.now(UTC))
