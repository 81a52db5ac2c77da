"""Runs of one or two steps, and how they must end."""

from typing import Any

from probes.language.journey import Journey
from probes.result import Result, Step
from probes.running.context import RunContext
from probes.running.runner import run_journey


async def run(context: RunContext, *steps: dict[str, Any], **keys: Any) -> Result:
    whole = {"journey": "j", "service": "shop", "every": "30s", "timeout": "5s", "steps": list(steps), **keys}
    return await run_journey(Journey.model_validate(whole), context)


async def failing(context: RunContext, *steps: dict[str, Any], **keys: Any) -> Step:
    failed = (await run(context, *steps, **keys)).failed
    assert failed is not None, "it is up"
    return failed


async def up(context: RunContext, *steps: dict[str, Any], **keys: Any) -> Result:
    result = await run(context, *steps, **keys)
    assert result.failed is None, result.failed
    return result
