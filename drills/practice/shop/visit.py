"""A request to the shop: who asks, from which session, with which form, and how the answer is made."""

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from drills.practice.secret import run_of
from drills.practice.shop.goods import PRODUCTS
from drills.practice.shop.model import Customer, Order, Session
from drills.practice.shop.store import Store
from drills.practice.shop.trade import Refused, Trade
from drills.practice.switches import Switchboard

HERE = Path(__file__).parent
COOKIE = "session"


@dataclass(slots=True)
class Shop:
    """What every page needs."""

    store: Store
    board: Switchboard
    trade: Trade
    templates: Environment
    run_key: str = ""


def load_templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, auto_reload=False
    )
    templates.filters["money"] = lambda amount: f"£{amount:.2f}"
    return templates


class NotFound(Refused):
    """No such page, product or order, or not for this customer."""


class SignInFirst(Refused):
    """Only for customers who are signed in."""


@dataclass(slots=True)
class Visit:
    """`form`: the fields sent, or the keys of a JSON body; empty for GET."""

    request: Request
    shop: Shop
    session: Session
    form: dict[str, Any] = field(default_factory=dict)

    @property
    def customer(self) -> Customer:
        """Raises SignInFirst."""
        if self.session.customer is None:
            raise SignInFirst("Please sign in first.")
        return self.session.customer

    @property
    def run(self) -> str | None:
        """Of Shopwatch, where it is a run that visits: not counted as a shopper."""
        return run_of(self.shop.run_key, self.request.headers.get("x-shopwatch-run", ""))

    def text(self, name: str) -> str:
        value = self.form.get(name, "")
        return value.strip()[:500] if isinstance(value, str) else ""

    def whole(self, name: str, default: int) -> int:
        """Raises Refused where the field is no whole number."""
        value = self.form.get(name, default)
        text = str(value).strip()
        if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 7):
            raise Refused(f"The {name} must be a whole number.")
        return int(text)

    def order(self) -> Order:
        """The one in the address. Raises NotFound, SignInFirst."""
        order = self.shop.store.visible_order(self.request.path_params["number"], self.customer)
        if order is None:
            raise NotFound("There is no such order.")
        return order

    def render(self, template: str, status: int = 200, **context: Any) -> Response:
        flash, self.session.flash = self.session.flash, None
        basket = self.session.current_basket
        text = self.shop.templates.get_template(template).render(
            session=self.session,
            customer=self.session.customer,
            pieces=sum(basket.lines.values()),
            flash=flash,
            products=PRODUCTS,
            **{"error": None, **context},
        )
        return HTMLResponse(text, status)

    def go(self, path: str, flash: str | None = None) -> Response:
        self.session.flash = flash
        return RedirectResponse(path, 303)


Handler = Callable[[Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def page(shop: Shop, handler: Handler) -> Endpoint:
    """An HTML page: forms carry the session's `csrf_token`, refusals become pages."""

    async def endpoint(request: Request) -> Response:
        visit = _visit(shop, request)
        try:
            if request.method == "POST":
                form = await request.form()
                visit.form = {name: value for name, value in form.items() if isinstance(value, str)}
                if not _same(visit.text("csrf_token"), visit.session.csrf):
                    text = "This form has expired. Please go back, reload the page and try again."
                    return _keep(visit, visit.render("message.html", 403, heading="Form expired", text=text))
            answer = await handler(visit)
        except SignInFirst:
            answer = visit.go(f"/account/login?next={request.url.path}", "Please sign in to go on.")
        except NotFound as error:
            answer = visit.render("message.html", 404, heading="Not found", text=str(error))
        except Refused as error:
            answer = visit.render("message.html", 400, heading="That did not work", text=str(error))
        return _keep(visit, answer)

    return endpoint


def api(shop: Shop, handler: Handler) -> Endpoint:
    """A JSON endpoint: what writes carries the session's token in `X-CSRF-Token`, refusals become `{"error": …}`."""

    async def endpoint(request: Request) -> Response:
        visit = _visit(shop, request)
        try:
            if request.method != "GET":
                if not _same(request.headers.get("x-csrf-token", ""), visit.session.csrf):
                    return JSONResponse({"error": "X-CSRF-Token is missing or not this session's"}, 403)
                visit.form = _document(await request.body())
            answer = await handler(visit)
        except SignInFirst as error:
            answer = JSONResponse({"error": str(error)}, 401)
        except NotFound as error:
            answer = JSONResponse({"error": str(error)}, 404)
        except Refused as error:
            answer = JSONResponse({"error": str(error)}, 409)
        return _keep(visit, answer)

    return endpoint


def _visit(shop: Shop, request: Request) -> Visit:
    session = shop.store.session(request.cookies.get(COOKIE)) or shop.store.open_session()
    return Visit(request, shop, session)


def _keep(visit: Visit, answer: Response) -> Response:
    if visit.request.cookies.get(COOKIE) != visit.session.id:
        answer.set_cookie(COOKIE, visit.session.id, path="/", httponly=True, samesite="lax")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _document(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        document = json.loads(body)
    except ValueError as error:
        raise Refused("The body is not JSON.") from error
    if not isinstance(document, dict):
        raise Refused("The body must be a JSON object.")
    return document
