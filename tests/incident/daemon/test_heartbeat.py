import asyncio

import pytest
from pytest_httpserver import HTTPServer
from structlog.testing import capture_logs

from incident.daemon import heartbeat
from incident.daemon.heartbeat import PATIENCE, Watch
from incident.desk import Desk
from incident.settings import Settings
from tests.incident.conftest import ONLY_SQLITE, SHOP, Clock


def test_the_first_pulse_is_awaited_before_anything_is_said() -> None:
    watch = Watch()
    assert [watch.stands(0, now, every=2) for now in (0.0, 2.0, 10.0)] == [None, None, None]
    assert watch.stands(1, 12, every=2) is False


def test_an_engine_that_never_begins_stands() -> None:
    watch = Watch()
    watch.stands(0, 0, every=2)
    assert watch.stands(0, PATIENCE + 1, every=2) is True


def test_an_engine_that_is_only_slow_is_given_its_time() -> None:
    watch = Watch()
    assert [watch.stands(1, now, every=2) for now in (0.0, 2.0, 4.0, PATIENCE)] == [False] * 4
    assert watch.stands(1, PATIENCE + 1, every=2) is True
    assert watch.stands(2, PATIENCE + 2, every=2) is False


def test_one_who_is_asked_seldom_is_judged_by_what_happened_since() -> None:
    watch = Watch()
    assert watch.stands(5, 0, every=60) is False
    assert watch.stands(6, 60, every=60) is False
    assert watch.stands(6, 120.1, every=60) is True


@ONLY_SQLITE
@pytest.mark.anyio
async def test_nothing_is_said_before_the_engine_has_begun_and_then_it_is_said_at_once(
    desk: Desk, clock: Clock, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/ping").respond_with_data("OK")
    await desk.reload(
        Settings.model_validate({**SHOP, "heartbeat": {"url": httpserver.url_for("/ping"), "every": "1m"}})
    )
    with capture_logs() as said:
        beating = asyncio.create_task(heartbeat.run(desk))
        await asyncio.sleep(0.3)
        assert (len(httpserver.log), said) == (0, [])
        await desk.cycle(clock.now)
        async with asyncio.timeout(60):
            while not httpserver.log:
                await asyncio.sleep(0.05)
        beating.cancel()
    assert said == []
