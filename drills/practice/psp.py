"""The practice payment provider: takes payments, answers for them, and calls the shop back, as the real ones do."""

import asyncio
import contextlib
import json
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drills.practice.calling import CallFailed, call
from drills.practice.secret import sign
from drills.practice.switch_api import SwitchApi
from drills.practice.switches import Switchboard

DECLINED_CARD = "4000000000000002"
MOST_PAYMENTS = 5000  # the oldest are forgotten
CALLBACK_AFTER = 0.3  # seconds after the answer
CALLBACK_RETRIES = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds between attempts


@dataclass(slots=True)
class Payment:
    """`state`: accepted → captured (the shop took the callback) → refunded; or declined."""

    id: str
    reference: str
    amount: Decimal
    currency: str
    state: str
    callback_url: str
    refunded: Decimal = Decimal(0)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "reference": self.reference,
            "amount": str(self.amount),
            "currency": self.currency,
            "state": self.state,
            "refunded": str(self.refunded),
        }


class Provider:
    """`key` is what merchants show; `secret` signs callbacks."""

    def __init__(self, key: str, secret: str, board: Switchboard) -> None:
        self.key = key
        self.secret = secret
        self.board = board
        self.payments: OrderedDict[str, Payment] = OrderedDict()
        self._by_key: OrderedDict[str, str] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    async def create(self, request: Request) -> Response:
        refusal = await self._gate(request)
        if refusal is not None:
            return refusal
        idempotency = request.headers.get("idempotency-key", "")
        known = self.payments.get(self._by_key.get(idempotency, ""))
        payment = known or _parse(await request.body())
        if payment is None:
            return JSONResponse({"error": "reference, amount, currency, card and callback_url are needed"}, 400)
        if known is None:
            self._accept(payment, idempotency)
        await asyncio.sleep(self.board.number("psp_delay"))
        return JSONResponse(payment.to_json(), 402 if payment.state == "declined" else 201)

    def _accept(self, payment: Payment, idempotency: str) -> None:
        if self.board.on("psp_declines"):
            payment.state = "declined"
        self.payments[payment.id] = payment
        if idempotency:
            self._by_key[idempotency] = payment.id
        for store in (self.payments, self._by_key):
            while len(store) > MOST_PAYMENTS:
                store.popitem(last=False)
        if payment.state == "accepted" and not self.board.on("callback_lost"):
            task = asyncio.create_task(self._call_back(payment), name=f"callback {payment.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _call_back(self, payment: Payment) -> None:
        """Tells the shop until it listens; gives up after the last retry, and the payment stays `accepted`."""
        for pause in (CALLBACK_AFTER + self.board.number("psp_delay"), *CALLBACK_RETRIES):
            await asyncio.sleep(pause)
            body = json.dumps({"event": "captured", "payment": payment.to_json()}).encode()
            signature = sign(self.secret, body, time.time())
            headers = {"Content-Type": "application/json", "X-Payment-Signature": signature}
            with contextlib.suppress(CallFailed):  # the next retry is the answer to it
                answer = await call("POST", payment.callback_url, body=body, headers=headers)
                if answer.status < 300:
                    if payment.state == "accepted":
                        payment.state = "captured"
                    return

    async def show(self, request: Request) -> Response:
        refusal = await self._gate(request)
        payment = self.payments.get(request.path_params["id"])
        if refusal is None and payment is None:
            return JSONResponse({"error": "no such payment"}, 404)
        return refusal or JSONResponse(payment.to_json() if payment else {})

    async def refund(self, request: Request) -> Response:
        """Gives all of it back. Asked twice it answers the same."""
        refusal = await self._gate(request)
        if refusal is not None:
            return refusal
        payment = self.payments.get(request.path_params["id"])
        if payment is None:
            return JSONResponse({"error": "no such payment"}, 404)
        if payment.state == "declined":
            return JSONResponse({"error": "a declined payment cannot be refunded"}, 409)
        payment.state, payment.refunded = "refunded", payment.amount
        return JSONResponse(payment.to_json())

    async def _gate(self, request: Request) -> Response | None:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return JSONResponse({"error": "unknown merchant"}, 401)
        if self.board.on("psp_errors"):
            return JSONResponse({"error": "internal error"}, 500)
        return None


def _parse(body: bytes) -> Payment | None:
    try:
        asked = json.loads(body)
        amount = Decimal(str(asked["amount"]))
        state = "declined" if str(asked["card"]).replace(" ", "") == DECLINED_CARD else "accepted"
        payment = Payment(
            id=f"pay_{uuid.uuid4().hex[:16]}",
            reference=str(asked["reference"]),
            amount=amount,
            currency=str(asked["currency"]),
            state=state,
            callback_url=str(asked["callback_url"]),
        )
    except (ValueError, KeyError, TypeError, InvalidOperation):
        return None
    return payment if amount.is_finite() and amount > 0 else None


def create_app(*, token: str, key: str, secret: str) -> Starlette:
    board = Switchboard("psp")
    provider = Provider(key, secret, board)

    async def ready(_: Request) -> Response:
        return JSONResponse({"service": "psp"})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        for task in list(provider._tasks):
            task.cancel()

    routes = [
        Route("/-/ready", ready),
        Route("/payments", provider.create, methods=["POST"]),
        Route("/payments/{id}", provider.show),
        Route("/payments/{id}/refunds", provider.refund, methods=["POST"]),
        *SwitchApi(board, token).routes(),
    ]
    return Starlette(routes=routes, lifespan=lifespan)
