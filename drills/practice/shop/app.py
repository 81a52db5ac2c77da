"""The shop's routes, put together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from drills.practice.faults import Faults
from drills.practice.shop import api, checkout, pages
from drills.practice.shop.books import all_orders
from drills.practice.shop.logistics import Synchroniser
from drills.practice.shop.neighbours import Carrier, Provider
from drills.practice.shop.store import Store
from drills.practice.shop.trade import Trade
from drills.practice.shop.visit import HERE, Handler, Shop, load_templates
from drills.practice.shop.visit import api as json_endpoint
from drills.practice.shop.visit import page as html_endpoint
from drills.practice.switch_api import SwitchApi
from drills.practice.switches import Switchboard

PAGES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/", pages.home),
    ("GET", "/catalogue/", pages.catalogue),
    ("GET", "/products/{sku}", pages.product),
    ("GET", "/basket/", pages.basket),
    ("POST", "/basket/add", pages.add),
    ("POST", "/basket/change", pages.change),
    ("POST", "/basket/empty", pages.empty),
    ("POST", "/basket/coupon", pages.coupon),
    ("GET POST", "/account/login", pages.login),
    ("POST", "/account/logout", pages.logout),
    ("GET POST", "/checkout/", checkout.address),
    ("GET", "/checkout/review", checkout.review),
    ("POST", "/checkout/pay", checkout.pay),
    ("GET", "/orders/", checkout.orders),
    ("GET", "/orders/{number:int}", checkout.order),
    ("POST", "/orders/{number:int}/cancel", checkout.cancel),
    ("POST", "/orders/{number:int}/refund", checkout.refund),
    ("GET", "/staff/orders", checkout.all_orders),
)
API: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/api/session", api.session),
    ("GET", "/api/products", api.products),
    ("GET", "/api/products/{sku}", api.product),
    ("GET DELETE", "/api/cart", api.cart),
    ("POST", "/api/cart/items", api.add_item),
    ("POST", "/api/cart/coupon", api.use_coupon),
    ("GET POST", "/api/orders", api.orders),
    ("GET", "/api/orders/{number:int}", api.order),
    ("POST", "/api/orders/{number:int}/cancel", api.cancel),
    ("POST", "/api/orders/{number:int}/refund", api.refund),
    ("GET", "/api/logistics", api.logistics),
)


@dataclass(frozen=True, slots=True)
class Config:
    """Addresses have no slash at their end. `token` is for the switches, `key` and `secret` are shared with the
    payment provider and the carrier, `password` is every customer's, `run_key` signs Shopwatch's runs."""

    url: str
    psp_url: str
    carrier_url: str
    token: str
    key: str
    secret: str
    password: str
    run_key: str = ""


def create_app(config: Config) -> Starlette:
    board = Switchboard("shop")
    store = Store(config.password)
    carrier = Carrier(config.carrier_url, config.key)
    provider = Provider(config.psp_url, config.key, f"{config.url}/callbacks/payment")
    shop = Shop(store, board, Trade(store, board, provider, carrier), load_templates(), config.run_key)
    switches = SwitchApi(board, config.token, {"psp": config.psp_url, "carrier": config.carrier_url})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        syncing = asyncio.create_task(Synchroniser(store, carrier).run(), name="logistics")
        yield
        syncing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await syncing

    routes: list[BaseRoute] = [
        Route(path, html_endpoint(shop, handler), methods=m.split()) for m, path, handler in PAGES
    ]
    routes += [Route(path, json_endpoint(shop, handler), methods=m.split()) for m, path, handler in API]
    routes += [
        Route("/callbacks/payment", api.callback(shop, config.secret), methods=["POST"]),
        Route("/static/shop.css", _stylesheet),
        Route("/-/ready", _ready),
        Route("/_practice/orders", all_orders(store, config.token)),
        *switches.routes(),
    ]
    return Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(Faults, board=board)])


async def _stylesheet(_: Request) -> Response:
    return FileResponse(HERE / "static" / "shop.css", media_type="text/css")


async def _ready(_: Request) -> Response:
    return JSONResponse({"service": "shop"})
