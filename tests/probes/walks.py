"""Runs of journeys that a test writes down."""

import json
from typing import Any

from probes.result import Outcome, Result, Step
from probes.running.context import RunContext
from probes.running.runner import run_journey
from tests.probes.shop import Shop


async def run(shop: Shop, context: RunContext, *steps: dict[str, Any], **keys: Any) -> Result:
    return await run_journey(shop.journey(*steps, **keys), context)


async def failing(shop: Shop, context: RunContext, *steps: dict[str, Any], **keys: Any) -> Step:
    result = await run(shop, context, *steps, **keys)
    assert result.outcome is Outcome.DOWN
    assert result.failed is not None
    return result.failed


def states(context: RunContext) -> list[str]:
    return [json.loads(line)["state"] for line in context.ledger.path.read_text().splitlines()]
