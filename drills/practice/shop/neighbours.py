"""The shop's side of its payment provider and its carrier."""

from decimal import Decimal
from typing import Any

from drills.practice.calling import Answer, CallFailed, call

PATIENCE = 5.0  # seconds that the shop gives the payment provider


class Provider:
    def __init__(self, url: str, key: str, callback_url: str) -> None:
        self.url = url
        self.key = key
        self.callback_url = callback_url

    async def pay(self, reference: str, amount: Decimal, card: str, attempt: str) -> str | None:
        """The payment's id, None where it was declined. Raises CallFailed, CallTimedOut."""
        document = {
            "reference": reference,
            "amount": str(amount),
            "currency": "GBP",
            "card": card,
            "callback_url": self.callback_url,
        }
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": attempt}
        answer = await call("POST", f"{self.url}/payments", document=document, headers=headers, timeout=PATIENCE)
        if answer.status == 402:
            return None
        return str(_good(answer)["id"])

    async def refund(self, payment: str) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        _good(await call("POST", f"{self.url}/payments/{payment}/refunds", headers=headers, timeout=PATIENCE))


class Carrier:
    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {key}"}

    async def register(self, reference: str) -> str:
        """The parcel's id. Asked twice for one reference it is the same parcel. Raises CallFailed."""
        document = {"reference": reference}
        return str(_good(await call("POST", f"{self.url}/shipments", document=document, headers=self.headers))["id"])

    async def recall(self, parcel: str) -> None:
        _good(await call("POST", f"{self.url}/shipments/{parcel}/recall", headers=self.headers))

    async def feed(self, since: int) -> tuple[list[dict[str, Any]], int]:
        """New scans, and the number to ask with next. Raises CallFailed."""
        answer = _good(await call("GET", f"{self.url}/feed?since={since}", headers=self.headers))
        return answer["scans"], answer["next"]


def _good(answer: Answer) -> Any:
    if answer.status >= 300:
        raise CallFailed(f"the answer was {answer.status}")
    return answer.json()
