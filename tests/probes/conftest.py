"""A small real shop, and what the runs of one process share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from probes.files.secrets import Environment
from probes.running.context import RunContext
from tests.probes.shop import Shop


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with Shop() as shop:
        yield shop


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[RunContext]:
    context = RunContext(tmp_path / ".shopwatch", Environment({}))
    yield context
    await context.aclose()
