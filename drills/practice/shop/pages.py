"""Catalogue, basket, sign-in."""

import hmac

from starlette.responses import Response

from drills.practice.shop.goods import PRODUCTS
from drills.practice.shop.model import Basket, Product
from drills.practice.shop.store import basket_lines, known_coupon
from drills.practice.shop.trade import Refused
from drills.practice.shop.visit import NotFound, Visit


def on_sale(visit: Visit) -> list[Product]:
    return [] if visit.shop.board.on("catalogue_empty") else list(PRODUCTS.values())


async def home(visit: Visit) -> Response:
    return visit.render("home.html", shown=on_sale(visit)[:3])


async def catalogue(visit: Visit) -> Response:
    wanted = visit.request.query_params.get("category")
    everything = on_sale(visit)
    shown = [product for product in everything if wanted in (None, product.category)]
    categories = list(dict.fromkeys(product.category for product in everything))
    return visit.render("catalogue.html", shown=shown, categories=categories, wanted=wanted)


async def product(visit: Visit) -> Response:
    found = PRODUCTS.get(visit.request.path_params["sku"])
    if found is None:
        raise NotFound("There is no such product.")
    return visit.render("product.html", product=found)


async def basket(visit: Visit) -> Response:
    return _basket(visit)


def _basket(visit: Visit, status: int = 200, error: str | None = None) -> Response:
    current = visit.session.current_basket
    totals = visit.shop.trade.totals(current)
    return visit.render("basket.html", status, lines=basket_lines(current), totals=totals, basket=current, error=error)


async def add(visit: Visit) -> Response:
    visit.shop.trade.add(visit.session.current_basket, visit.text("sku"), visit.whole("quantity", 1))
    return visit.go("/basket/", "It is in your basket.")


async def change(visit: Visit) -> Response:
    try:
        visit.shop.trade.change(visit.session.current_basket, visit.text("sku"), visit.whole("quantity", 0))
    except Refused as error:
        return _basket(visit, 400, str(error))
    return visit.go("/basket/", "Your basket was changed.")


async def empty(visit: Visit) -> Response:
    if visit.session.customer:
        visit.session.customer.basket = Basket()
    visit.session.basket = Basket()
    return visit.go("/basket/", "Your basket is empty now.")


async def coupon(visit: Visit) -> Response:
    code = known_coupon(visit.text("code"))
    if code is None:
        return _basket(visit, 400, "We do not know this coupon.")
    visit.session.current_basket.coupon = code
    return visit.go("/basket/", f"Coupon {code} is applied.")


async def login(visit: Visit) -> Response:
    if visit.request.method == "GET":
        return visit.render("login.html", next=visit.request.query_params.get("next", ""), email="")
    customer = visit.shop.store.customers.get(visit.text("email").lower())
    right = customer is not None and hmac.compare_digest(customer.password.encode(), visit.text("password").encode())
    if customer is None or not right or visit.shop.board.on("signin_refuses"):
        text = "This e-mail address and password do not go together."
        return visit.render("login.html", next=visit.text("next"), email=visit.text("email"), error=text)
    visit.session = visit.shop.store.sign_in(visit.session, customer)
    return visit.go(_inside(visit.text("next")), f"Welcome back, {customer.name}.")


def _inside(path: str) -> str:
    """A path of this shop: an address elsewhere in `next` must not be followed."""
    good = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if good else "/orders/"


async def logout(visit: Visit) -> Response:
    visit.shop.store.close_session(visit.session)
    visit.session = visit.shop.store.open_session()
    return visit.go("/", "You are signed out.")
