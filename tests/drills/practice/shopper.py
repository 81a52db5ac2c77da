"""A shopper with a very plain browser."""

import time
from decimal import Decimal
from typing import Any

import httpx
from selectolax.lexbor import LexborHTMLParser

ADDRESS = {"name": "A Buyer", "street": "1 High Street", "city": "London", "postcode": "N1 1AA"}


class Shopper:
    """Follows forms as they stand on the page last seen; redirects are followed."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.answer: httpx.Response | None = None

    @property
    def page(self) -> LexborHTMLParser:
        assert self.answer is not None
        return LexborHTMLParser(self.answer.text)

    def text(self, selector: str) -> str:
        node = self.page.css_first(selector)
        assert node is not None, f"no {selector} on {self.answer and self.answer.url}"
        return node.text(strip=True)

    def amount(self, name: str) -> Decimal:
        return Decimal(self.attribute(f"#{name}", "value"))

    def attribute(self, selector: str, name: str) -> str:
        node = self.page.css_first(selector)
        assert node is not None, f"no {selector} on {self.answer and self.answer.url}"
        return node.attributes[name] or ""

    def get(self, path: str) -> httpx.Response:
        self.answer = self.client.get(path, follow_redirects=True)
        return self.answer

    def submit(self, selector: str, **fields: str) -> httpx.Response:
        form = self.page.css_first(selector)
        assert form is not None, f"no form {selector}"
        data = {name: node.attributes.get("value") or "" for node in form.css("input") if (name := _sent(node))}
        for node in form.css("select"):
            chosen = node.css_first("option[selected]") or node.css_first("option")
            data[node.attributes["name"] or ""] = chosen.text() if chosen else ""
        self.answer = self.client.post(form.attributes["action"] or "", data=data | fields, follow_redirects=True)
        return self.answer

    def sign_in(self, user: str = "buyer@example.com", password: str = "practice") -> httpx.Response:
        self.get("/account/login")
        return self.submit("#login_form", email=user, password=password)

    def fill(self, *skus: str) -> None:
        """Signs in and puts products into an empty basket."""
        self.sign_in()
        self.api("DELETE", "/api/cart")
        for sku in skus:
            self.get(f"/products/{sku}")
            self.submit("#add_form")

    def to_review(self) -> httpx.Response:
        self.get("/checkout/")
        return self.submit("#address_form", **ADDRESS)

    def buy(self, method: str = "card", **fields: str) -> httpx.Response:
        self.fill("TEA-1")
        self.to_review()
        return self.submit("#payment_form", method=method, **fields)

    def api(self, method: str, path: str, document: Any = None, **headers: str) -> httpx.Response:
        csrf = self.client.get("/api/session").json()["csrf"]
        return self.client.request(method, path, json=document, headers={"X-CSRF-Token": csrf, **headers})

    def submit_raw(self, path: str, body: bytes) -> httpx.Response:
        return self.client.post(path, content=body)

    def order(self) -> Any:
        return self.client.get(f"/api/orders/{self.text('#order_number')}").json()

    def becomes(self, state: str, within: float = 60.0) -> Any:
        """Asks for the order on the page until it has reached that state."""
        deadline = time.monotonic() + within
        while True:
            order = self.order()
            if state in [entry["state"] for entry in order["history"]]:
                return order
            assert time.monotonic() < deadline, f"still {order['state']}"
            time.sleep(0.05)


def _sent(node: Any) -> str | None:
    kind = node.attributes.get("type")
    if kind in ("radio", "checkbox") and "checked" not in node.attributes:
        return None
    name: str | None = node.attributes.get("name")
    return name
