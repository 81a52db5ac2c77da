"""`/_practice/orders`: what the shop holds, for whoever checks that nothing is left in it."""

import hmac
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from drills.practice.shop.store import Store


def all_orders(store: Store, token: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.encode()):
            return JSONResponse({"error": "the books need the token of the switches: Authorization: Bearer TOKEN"}, 401)
        orders = [
            {"number": order.number, "customer": order.customer.email, "state": order.state, "run": order.run}
            for order in store.orders.values()
        ]
        return JSONResponse({"orders": orders})

    return endpoint
