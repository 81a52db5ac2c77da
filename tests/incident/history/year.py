"""Runs as a shop of middling health gives them: five steps each, every 30 seconds, two of a thousand not up."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

EVERY = 30.0
_STEPS = ("open the shop", "sign in", "add to basket", "pay", "the order is there")
_WORDS = (
    "order",
    "basket",
    "pay",
    "total",
    "error",
    "shop",
    "gateway",
    "upstream",
    "while",
    "timeout",
    "button",
    "again",
)
_BAD = (("down", "status"), ("down", "timeout"), ("degraded", "latency"))


def runs(begin: datetime, days: float, seed: int = 1, journey: str = "checkout") -> Iterator[dict[str, Any]]:
    """Oldest first; starts and durations as uneven as real ones."""
    chance = random.Random(seed)
    for number in range(int(days * 86400 / EVERY)):
        at = begin + timedelta(seconds=number * EVERY + abs(chance.gauss(0, 0.004)))
        bad = _BAD[chance.randrange(len(_BAD))] if chance.random() < 0.002 else None
        yield _run(chance, at, journey, bad)


def _run(chance: random.Random, at: datetime, journey: str, bad: tuple[str, str] | None) -> dict[str, Any]:
    failing = chance.randrange(len(_STEPS)) if bad else -1
    steps = []
    for number, name in enumerate(_STEPS):
        skipped = bad is not None and bad[0] == "down" and number > failing
        steps.append(_step(chance, name, number == 0, skipped))
        if bad is not None and number == failing:
            seen = " ".join(chance.choices(_WORDS, k=80)) + f" {chance.getrandbits(256):x}"
            more = {"outcome": bad[0], "reason": bad[1], "expected": "status 200", "seen": seen}
            steps[-1].update(
                more, curl=f"curl -H 'X-Request: {chance.getrandbits(128):x}' https://shop.example/{number}"
            )
    return {
        "journey": journey,
        "service": "checkout",
        "run_id": f"{chance.getrandbits(64):016x}",
        "outcome": bad[0] if bad else "up",
        "started_at": at.isoformat(),
        "duration_s": round(sum(step["duration_s"] for step in steps), 6),
        "steps": steps,
        "cleanup": [],
        "labels": {"market": "uk"},
        "location": "local",
        "account": chance.choice(("buyer@example.com", "other@example.com")),
        "lag_s": 0.001,
    }


def _step(chance: random.Random, name: str, first: bool, skipped: bool) -> dict[str, Any]:
    phases = {}
    if not skipped:
        if first:
            phases = {name: chance.lognormvariate(-5, 0.3) for name in ("resolve", "connect", "tls")}
        phases |= {"processing": chance.lognormvariate(-3, 0.3), "transfer": chance.lognormvariate(-7, 0.4)}
    phases = {name: round(seconds, 6) for name, seconds in phases.items()}
    return {
        "name": name,
        "service": "checkout",
        "outcome": "skipped" if skipped else "up",
        "reason": None,
        "expected": None,
        "seen": None,
        "status": None if skipped else 200,
        "phases": phases,
        "duration_s": round(sum(phases.values()), 6),
        "attempts": 1,
        "url": None if skipped else f"https://shop.example/{name.replace(' ', '/')}",
        "curl": None,
    }
