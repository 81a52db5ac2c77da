"""The payment provider on its own."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from drills.practice.launch import Practice

pytestmark = pytest.mark.anyio

PAYMENT = {"reference": "r-1", "amount": "12.30", "currency": "GBP", "card": "4242424242424242"}


@pytest.fixture
async def psp() -> AsyncIterator[httpx.AsyncClient]:
    async with Practice(["psp"], environment={"PRACTICE_KEY": "merchant"}) as practice:
        headers = {"Authorization": "Bearer merchant"}
        url = practice.urls["psp"]
        async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
            yield client


def asked(**changes: Any) -> dict[str, Any]:
    return {**PAYMENT, "callback_url": "http://127.0.0.1:9/nobody", **changes}


async def test_the_same_idempotency_key_is_the_same_payment(psp: httpx.AsyncClient) -> None:
    answers = [await psp.post("/payments", json=asked(), headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert (await psp.post("/payments", json=asked())).json()["id"] != answers[0].json()["id"]


async def test_a_payment_is_accepted_until_the_shop_has_taken_the_callback(psp: httpx.AsyncClient) -> None:
    payment = (await psp.post("/payments", json=asked())).json()
    assert (await psp.get(f"/payments/{payment['id']}")).json()["state"] == "accepted"


async def test_a_refund_asked_twice_is_one(psp: httpx.AsyncClient) -> None:
    payment = (await psp.post("/payments", json=asked())).json()
    for _ in range(2):
        answer = await psp.post(f"/payments/{payment['id']}/refunds")
        assert (answer.status_code, answer.json()["refunded"]) == (200, "12.30")


async def test_a_declined_payment_cannot_be_refunded(psp: httpx.AsyncClient) -> None:
    declined = await psp.post("/payments", json=asked(card="4000 0000 0000 0002"))
    assert (declined.status_code, declined.json()["state"]) == (402, "declined")
    assert (await psp.post(f"/payments/{declined.json()['id']}/refunds")).status_code == 409


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity", "ten", None])
async def test_amounts_that_are_none_are_refused(psp: httpx.AsyncClient, amount: object) -> None:
    assert (await psp.post("/payments", json=asked(amount=amount))).status_code == 400


async def test_strangers_are_refused(psp: httpx.AsyncClient) -> None:
    answer = await psp.post("/payments", json=asked(), headers={"Authorization": "Bearer guess"})
    assert answer.status_code == 401
    assert (await psp.get("/payments/pay_none")).status_code == 404
