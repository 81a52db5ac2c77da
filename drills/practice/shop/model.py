"""What the shop is about: products, customers, baskets, orders. Money is Decimal, in pounds; instants are UTC."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

PENNY = Decimal("0.01")
TAX_RATE = Decimal("0.20")
SHIPPING = Decimal("4.50")
FREE_SHIPPING_FROM = Decimal("60.00")
COUPONS = {"WELCOME10": Decimal("0.10"), "TEATIME": Decimal("0.25")}
"""Code: the share of the items that it takes off."""
MOST_OF_ONE = 20  # pieces of one product in a basket

AWAITING, CONFIRMED, PAID, PICKED, SHIPPED = "Awaiting payment", "Confirmed", "Paid", "Picked", "Shipped"
OUT, DELIVERED, CANCELLED, REFUNDED = "Out for delivery", "Delivered", "Cancelled", "Refunded"
FORWARD = (AWAITING, CONFIRMED, PAID, PICKED, SHIPPED, OUT, DELIVERED)
"""The order of an order's states; `Confirmed` is what `Paid` is where the customer pays on delivery."""


@dataclass(frozen=True, slots=True)
class Product:
    sku: str
    title: str
    price: Decimal
    category: str
    description: str


@dataclass(slots=True)
class Basket:
    """`lines`: pieces by sku, in the order in which they were put in."""

    lines: dict[str, int] = field(default_factory=dict)
    coupon: str | None = None


@dataclass(slots=True)
class Customer:
    email: str
    name: str
    password: str
    staff: bool = False
    basket: Basket = field(default_factory=Basket)
    ordered: int = 0  # orders ever written, those that made room for newer ones included


@dataclass(slots=True)
class Session:
    """`attempt` names the payment attempt under way: sent twice, it is still one order."""

    id: str
    csrf: str
    customer: Customer | None = None
    basket: Basket = field(default_factory=Basket)
    address: dict[str, str] = field(default_factory=dict)
    attempt: str | None = None
    flash: str | None = None

    @property
    def current_basket(self) -> Basket:
        return self.customer.basket if self.customer else self.basket


@dataclass(frozen=True, slots=True)
class Line:
    sku: str
    title: str
    price: Decimal
    quantity: int

    @property
    def total(self) -> Decimal:
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Totals:
    """items + shipping - discount + tax == total, to the penny."""

    items: Decimal
    shipping: Decimal
    discount: Decimal
    tax: Decimal
    total: Decimal


@dataclass(slots=True)
class Scan:
    status: str
    at: datetime


@dataclass(slots=True)
class Order:
    number: int
    customer: Customer
    lines: list[Line]
    totals: Totals
    address: dict[str, str]
    method: str  # card | on_delivery
    state: str
    placed_at: datetime
    run: str | None = None  # of Shopwatch, where a run placed it; None for a shopper's
    payment: str | None = None
    parcel: str | None = None
    scans: list[Scan] = field(default_factory=list)
    history: list[tuple[str, datetime]] = field(default_factory=list)

    def move(self, state: str, now: datetime) -> None:
        self.state = state
        self.history.append((state, now))

    @property
    def can_cancel(self) -> bool:
        return self.state not in (DELIVERED, CANCELLED, REFUNDED)

    @property
    def in_motion(self) -> bool:
        """Waits for the carrier, or is with it."""
        return self.state in (CONFIRMED, PAID, PICKED, SHIPPED, OUT)


def compute(lines: list[Line], coupon: str | None, *, ignore_coupon: bool = False, forget_tax: bool = False) -> Totals:
    """What a basket costs. The two flags are faults."""
    items = sum((line.total for line in lines), Decimal(0))
    share = COUPONS[coupon] if coupon and not ignore_coupon else Decimal(0)
    discount = _penny(items * share)
    shipping = Decimal(0) if not lines or items >= FREE_SHIPPING_FROM else SHIPPING
    tax = _penny((items + shipping - discount) * TAX_RATE)
    total = items + shipping - discount + (Decimal(0) if forget_tax else tax)
    return Totals(_penny(items), _penny(shipping), discount, tax, _penny(total))


def _penny(amount: Decimal) -> Decimal:
    return amount.quantize(PENNY, ROUND_HALF_UP)


def number(amount: Decimal) -> float:
    """For JSON only: two decimals survive the shortest form of a float unchanged."""
    return float(amount)


def totals_json(totals: Totals) -> dict[str, float]:
    names = ("items", "shipping", "discount", "tax", "total")
    return {name: number(getattr(totals, name)) for name in names}


def lines_json(lines: list[Line]) -> list[dict[str, Any]]:
    return [
        {"sku": x.sku, "title": x.title, "price": number(x.price), "quantity": x.quantity, "total": number(x.total)}
        for x in lines
    ]
