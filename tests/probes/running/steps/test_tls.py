"""Certificates, looked at on their own and on the way."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from probes.language.journey import AlertRule
from probes.prober.rules import JourneyState, judge
from probes.result import Reason
from probes.running.context import RunContext
from tests.probes.http.servers import serving
from tests.probes.running.steps.asking import failing, up

pytestmark = pytest.mark.anyio


class Secured:
    """A TLS server whose certificate ends in so many days."""

    def __init__(self, folder: Path, name: str = "localhost", days: float = 90) -> None:
        self.ca = folder / "ca.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca))
        self.ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name, not_after=self.ends).configure_cert(self.context)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await reader.read()

        async with serving(answer, self.context) as port:
            yield port


async def test_a_certificate_that_lasts_is_up_and_in_the_result(context: RunContext, tmp_path: Path) -> None:
    secured = Secured(tmp_path)
    async with secured.serving() as port:
        expect = {"expires_in": {"gt": "14d", "lt": "91d"}, "protocol": "TLSv1.3", "value": {"matches": "^20"}}
        step = {"tls": f"localhost:{port}", "expect": expect, "save": {"ends": "value"}}
        result = await up(context, step, tls={"ca": str(secured.ca)})
    assert result.to_json()["certificate"] == {
        "host": f"localhost:{port}",
        "expires_at": secured.ends.isoformat(),
    }
    assert list(result.steps[0].phases) == ["resolve", "connect", "tls"]


async def test_a_certificate_that_ends_sooner_than_expected_is_tls(context: RunContext, tmp_path: Path) -> None:
    secured = Secured(tmp_path, days=5)
    async with secured.serving() as port:
        step = {"tls": f"localhost:{port}", "expect": {"expires_in": {"gt": "14d"}}}
        failed = await failing(context, step, tls={"ca": str(secured.ca)})
    assert (failed.reason, failed.expected) == (Reason.TLS, "a certificate that expires in > 14d")
    assert "UTC, in 5d" in (failed.seen or "")


@pytest.mark.parametrize(("name", "days"), [("other.example", 90), ("localhost", -1)], ids=["its name", "its time"])
async def test_a_certificate_that_cannot_be_trusted_is_tls(
    name: str, days: int, context: RunContext, tmp_path: Path
) -> None:
    secured = Secured(tmp_path, name, days)
    async with secured.serving() as port:
        failed = await failing(context, {"tls": f"localhost:{port}"}, tls={"ca": str(secured.ca)})
    assert (failed.reason, "certificate not accepted" in (failed.seen or "")) == (Reason.TLS, True)


async def test_a_chain_to_nobody_is_tls_unless_nobody_looks(context: RunContext, tmp_path: Path) -> None:
    async with Secured(tmp_path).serving() as port:
        assert (await failing(context, {"tls": f"localhost:{port}"})).reason is Reason.TLS
        await up(context, {"tls": f"localhost:{port}"}, tls={"verify": False})


async def test_every_https_step_reads_the_certificate(context: RunContext, tmp_path: Path) -> None:
    secured = Secured(tmp_path, days=5)
    async with secured.serving() as port:
        result = await up(context, {"get": "/"}, base=f"https://localhost:{port}", tls={"ca": str(secured.ca)})
    assert result.certificate == (f"localhost:{port}", secured.ends)


async def test_the_journey_is_up_while_its_certificate_is_an_alert(context: RunContext, tmp_path: Path) -> None:
    secured = Secured(tmp_path, days=5)
    async with secured.serving() as port:
        result = await up(context, {"get": "/"}, base=f"https://localhost:{port}", tls={"ca": str(secured.ca)})
    _, alerts, _ = judge(AlertRule(), JourneyState(), result, datetime.now(UTC))
    assert [(alert.labels["alertname"], alert.labels["severity"]) for alert in alerts] == [
        ("JourneyCertificate", "SEV3")
    ]  # fmt: skip
