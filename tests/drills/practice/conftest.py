"""A practice shop for the tests of this folder: one for all, its switches taken out after each test."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from drills.practice.launch import Practice
from tests.drills.practice.shopper import Shopper


@pytest.fixture(scope="session")
def practice() -> Iterator[Practice]:
    with asyncio.Runner() as runner:
        started = Practice(pace=0.05)
        runner.run(started.__aenter__())
        try:
            yield started
        finally:
            runner.run(started.stop())


@pytest.fixture
def shopper(practice: Practice) -> Iterator[Shopper]:
    with httpx.Client(base_url=practice.urls["shop"], trust_env=False, timeout=60) as client:
        yield Shopper(client)
    headers = {"Authorization": f"Bearer {practice.token}"}
    httpx.delete(practice.urls["shop"] + "/_practice/switches", headers=headers, trust_env=False).raise_for_status()
