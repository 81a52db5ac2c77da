"""What runs of one process share: TLS settings by journey."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from probes.result import Outcome, Reason, Step
from probes.running.context import RunContext
from probes.running.runner import run_journey
from tests.probes.http.servers import repeating, serving
from tests.probes.shop import Shop

pytestmark = pytest.mark.anyio


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def port(authority: trustme.CA) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with serving(repeating(answer), context) as port:
        yield port


async def first_step(port: int, folder: Path, tls: dict[str, Any] | None) -> Step:
    context = RunContext(folder / "state")
    journey = Shop(url=f"https://127.0.0.1:{port}").journey({"get": "/"}, tls=tls)
    journey._file = folder / "journey.yaml"
    result = await run_journey(journey, context)
    await context.aclose()
    return result.steps[0]


async def test_a_certificate_of_nobody_we_know_is_tls(port: int, tmp_path: Path) -> None:
    step = await first_step(port, tmp_path, None)
    assert (step.outcome, step.reason) == (Outcome.DOWN, Reason.TLS)
    assert "certificate" in (step.seen or "")


async def test_the_authority_is_read_beside_the_journeys_file(port: int, tmp_path: Path, authority: trustme.CA) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    step = await first_step(port, tmp_path, {"ca": "ca.pem"})
    assert step.outcome is Outcome.UP
    assert "tls" in step.phases


async def test_the_check_can_be_turned_off(port: int, tmp_path: Path) -> None:
    assert (await first_step(port, tmp_path, {"verify": False})).outcome is Outcome.UP


async def test_a_certificate_file_that_is_not_there_is_config(port: int, tmp_path: Path) -> None:
    step = await first_step(port, tmp_path, {"ca": "nowhere.pem"})
    assert step.reason is Reason.CONFIG
    assert f"--cacert {tmp_path}/nowhere.pem" in (step.curl or "")
    assert "nowhere.pem" in (step.seen or "")
