"""A prober whose checkout is killed at a chosen moment, and the practice shop that it buys from."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from drills.practice.launch import Practice
from probes.running.ledger import Entry, Ledger
from tests.probes.prober.test_process import Process

RUN_KEY = "the-key-of-our-runs"
OVER = ("Cancelled", "Refunded")

DYING = """
import os, signal, sys
from pathlib import Path
from probes.running.ledger import Ledger

moment, folder, url = sys.argv[1:]
record = Ledger.record

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def dying(self, entry, state, now, **changes):
    if moment == f"before {state}":
        die()
    entry = record(self, entry, state, now, **changes)
    if moment == f"after {state}":
        die()
    return entry

Ledger.record = dying
from probes.prober.process import main
sys.exit(main(Path(folder), report_to=url))
"""

CHECKOUT: dict[str, Any] = {
    "journey": "checkout",
    "service": "checkout",
    "every": "400ms",
    "timeout": "10s",
    "base": "${SHOP_URL}",
    "mutates": "order",
    "accounts": [{"user": f"buyer{n}@example.com", "password": "practice"} for n in (3, 4)],
    "steps": [
        {"get": "/account/login"},
        {
            "name": "sign in",
            "submit": "#login_form",
            "fields": {"email": "{{ account.user }}", "password": "{{ account.password }}"},
            "expect": {"status": 303},
        },
        {"get": "/api/session", "save": {"csrf": {"json": "$.csrf"}}},
        {"delete": "/api/cart", "headers": {"X-CSRF-Token": "{{ csrf }}"}},
        {"post": "/api/cart/items", "headers": {"X-CSRF-Token": "{{ csrf }}"}, "json": {"sku": "BOOK-1"}},
        {
            "name": "place the order",
            "post": "/api/orders",
            "headers": {"X-CSRF-Token": "{{ csrf }}", "Idempotency-Key": "{{ run_id }}"},
            "json": {
                "method": "card",
                "card": "4242424242424242",
                "address": {"name": "R", "street": "1 Mill Road", "city": "L", "postcode": "N1", "country": "Ireland"},
            },
            "expect": {"status": 201},
            "creates": "{{ order }}",
            "save": {"order": {"json": "$.number"}},
        },
    ],
    "cleanup": [
        {"get": "/account/login"},
        {
            "submit": "#login_form",
            "fields": {"email": "{{ account.user }}", "password": "{{ account.password }}"},
            "expect": {"status": 303},
        },
        {"get": "/api/session", "save": {"csrf": {"json": "$.csrf"}}},
        {"delete": "/api/cart", "headers": {"X-CSRF-Token": "{{ csrf }}"}},
        {
            "name": "which order was it?",  # the same request again gives the same order; with an empty basket, or none
            "when": "{{ order is not defined }}",
            "post": "/api/orders",
            "headers": {"X-CSRF-Token": "{{ csrf }}", "Idempotency-Key": "{{ run_id }}"},
            "json": {
                "method": "on_delivery",
                "address": {"name": "R", "street": "1 Mill Road", "city": "L", "postcode": "N1", "country": "Ireland"},
            },
            "expect": {"status": [201, 409]},
            "save": {"order": {"json": "$.number", "default": 0}},
        },
        {
            "name": "cancel it",
            "when": "{{ order > 0 }}",
            "post": "/api/orders/{{ order }}/cancel",
            "headers": {"X-CSRF-Token": "{{ csrf }}"},
            "expect": {"status": 200},
        },
    ],
}


def workspace(folder: Path) -> Path:
    (folder / "probes").mkdir()
    (folder / "shopwatch.yaml").write_text("shop: {name: Test}\nservices:\n  checkout: {title: Checkout}\n")
    (folder / "probes" / "checkout.yaml").write_text(json.dumps(CHECKOUT))
    return folder


@asynccontextmanager
async def dying(folder: Path, moment: str, shop: Practice) -> AsyncIterator[Process]:
    """A prober that kills itself `before STATE` or `after STATE` goes to the ledger."""
    env = {**os.environ, "SHOP_URL": shop.urls["shop"], "SHOPWATCH_RUN_KEY": RUN_KEY}
    log = folder / "stderr.log"
    command = [sys.executable, "-P", "-c", DYING, moment, str(folder), "http://127.0.0.1:9"]
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(*command, env=env, stdin=asyncio.subprocess.PIPE, stderr=stderr)
    try:
        yield Process(process, log)
    finally:
        if process.returncode is None:
            process.kill()
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def open_orders(shop: Practice) -> dict[str, str]:
    """State by run."""
    return {order["run"]: order["state"] for order in await shop.orders() if order["state"] not in OVER}


def left(folder: Path) -> list[Entry]:
    return Ledger(folder / ".shopwatch" / "ledger.jsonl").leftovers()


async def until(true: Callable[[], bool], within: float = 60.0) -> None:
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.02)
