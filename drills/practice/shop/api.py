"""The shop's JSON beside its pages, and the callback of its payment provider."""

import json
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from drills.practice.secret import verify
from drills.practice.shop.checkout import ADDRESS, METHODS, read_address
from drills.practice.shop.goods import PRODUCTS
from drills.practice.shop.logistics import tracking_of
from drills.practice.shop.model import Basket, Order, Product, lines_json, number, totals_json
from drills.practice.shop.pages import on_sale
from drills.practice.shop.store import basket_lines, known_coupon
from drills.practice.shop.trade import Refused
from drills.practice.shop.visit import NotFound, Shop, Visit


async def session(visit: Visit) -> Response:
    customer = visit.session.customer
    return JSONResponse({"csrf": visit.session.csrf, "customer": customer.email if customer else None})


async def products(visit: Visit) -> Response:
    shown = on_sale(visit)
    return JSONResponse({"count": len(shown), "products": [_product(product) for product in shown]})


async def product(visit: Visit) -> Response:
    found = PRODUCTS.get(visit.request.path_params["sku"])
    if found is None:
        raise NotFound("There is no such product.")
    return JSONResponse(_product(found))


async def cart(visit: Visit) -> Response:
    if visit.request.method == "DELETE":
        if visit.session.customer:
            visit.session.customer.basket = Basket()
        visit.session.basket = Basket()
    return _cart(visit)


async def add_item(visit: Visit) -> Response:
    visit.shop.trade.add(visit.session.current_basket, visit.text("sku"), visit.whole("quantity", 1))
    return _cart(visit, 201)


async def use_coupon(visit: Visit) -> Response:
    code = known_coupon(visit.text("code"))
    if code is None:
        raise Refused("We do not know this coupon.")
    visit.session.current_basket.coupon = code
    return _cart(visit)


async def orders(visit: Visit) -> Response:
    """POST places an order for what is in the basket: `{"method": …, "address": {…}, "card": …}`."""
    customer = visit.customer
    if visit.request.method == "GET":
        found = visit.shop.store.orders_of(customer)
        return JSONResponse({"count": customer.ordered, "orders": [_order(visit, order) for order in found[:50]]})
    given = visit.form.get("address")
    address = read_address({name: str(given.get(name, "")) for name in ADDRESS} if isinstance(given, dict) else {})
    method = visit.text("method")
    if method not in METHODS:
        raise Refused(f"The method is one of: {', '.join(METHODS)}.")
    attempt = visit.request.headers.get("idempotency-key") or uuid.uuid4().hex
    order = await visit.shop.trade.place(customer, address, method, visit.text("card"), attempt, run=visit.run)
    return JSONResponse(_order(visit, order), 201)


async def order(visit: Visit) -> Response:
    return JSONResponse(_order(visit, visit.order()))


async def cancel(visit: Visit) -> Response:
    found = visit.order()
    await visit.shop.trade.cancel(found)
    return JSONResponse(_order(visit, found))


async def refund(visit: Visit) -> Response:
    found = visit.order()
    if not visit.customer.staff:
        raise Refused("Refunds are for staff.")
    await visit.shop.trade.refund(found)
    return JSONResponse(_order(visit, found))


async def logistics(visit: Visit) -> Response:
    """How fresh the shop's knowledge of its parcels is."""
    store = visit.shop.store
    return JSONResponse(
        {
            "synced_at": store.synced_at.isoformat() if store.synced_at else None,
            "newest_scan_at": store.newest_scan.isoformat() if store.newest_scan else None,
            "under_way": sum(order.in_motion for order in store.orders.values()),
        }
    )


def callback(shop: Shop, secret: str) -> Callable[[Request], Awaitable[Response]]:
    """The payment provider's word that the money is there, believed by its signature alone."""

    async def endpoint(request: Request) -> Response:
        body = await request.body()
        if not verify(secret, body, request.headers.get("x-payment-signature", ""), time.time()):
            return JSONResponse({"error": "the signature is not the payment provider's"}, 401)
        try:
            payment: dict[str, Any] = json.loads(body)["payment"]
            known = shop.trade.captured(str(payment["reference"]), str(payment["id"]))
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "the callback is malformed"}, 400)
        return JSONResponse({"taken": known}, 200 if known else 404)

    return endpoint


def _cart(visit: Visit, status: int = 200) -> Response:
    basket = visit.session.current_basket
    document: dict[str, Any] = {
        "lines": lines_json(basket_lines(basket)),
        "pieces": sum(basket.lines.values()),
        "coupon": basket.coupon,
    }
    return JSONResponse(document | totals_json(visit.shop.trade.totals(basket)), status)


def _product(product: Product) -> dict[str, Any]:
    return {
        "sku": product.sku,
        "title": product.title,
        "price": number(product.price),
        "category": product.category,
        "url": f"/products/{product.sku}",
    }


def _order(visit: Visit, order: Order) -> dict[str, Any]:
    return {
        "number": order.number,
        "state": order.state,
        "method": order.method,
        "placed_at": order.placed_at.isoformat(),
        "lines": lines_json(order.lines),
        **totals_json(order.totals),
        "history": [{"state": state, "at": at.isoformat()} for state, at in order.history],
        "tracking": tracking_of(order, visit.shop.store),
    }
