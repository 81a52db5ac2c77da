"""Names into addresses, with a name server of our own where one is needed."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from probes.http import SystemResolver, Transport, TransportError
from probes.result import Reason
from tests.probes.http.servers import failure, get, ok, repeating, serving

pytestmark = pytest.mark.anyio


class NameServer(asyncio.DatagramProtocol):
    """Knows 127.0.0.1 as the address of every name under `shop.example`; says of others that they do not exist."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        end = data.index(b"\0", 12) + 5
        question, kind = data[12:end], struct.unpack("!H", data[end - 4 : end - 2])[0]
        known = b"\x04shop\x07example" in question
        answers = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + b"\x7f\0\0\1" if known and kind == 1 else b""
        flags = 0x8180 if known else 0x8183
        self.transport.sendto(data[:2] + struct.pack("!5H", flags, 1, bool(answers), 0, 0) + question + answers, sender)


@asynccontextmanager
async def name_server(protocol: type[asyncio.DatagramProtocol]) -> AsyncIterator[SystemResolver]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(protocol, local_addr=("127.0.0.1", 0))
    resolver = SystemResolver([f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"])
    try:
        yield resolver
    finally:
        await resolver.aclose()
        transport.close()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("127.0.0.1", ("127.0.0.1",)),
        ("::1", ("::1",)),
        ("localhost", ("127.0.0.1", "::1")),
        ("a.localhost.", ("127.0.0.1", "::1")),
    ],
)
async def test_addresses_and_localhost_need_no_name_server(host: str, addresses: tuple[str, ...]) -> None:
    resolver = SystemResolver(["127.0.0.1:1"])
    assert await resolver.resolve(host) == addresses


async def test_a_name_is_looked_up_and_its_server_asked() -> None:
    async with name_server(NameServer) as resolver, serving(repeating(ok(b"hello"))) as port:
        response = await get(f"http://www.shop.example:{port}/", Transport(resolver=resolver))
    assert response.content == b"hello"
    assert response.extensions["shopwatch"].peer == f"127.0.0.1:{port}"


async def test_a_name_that_does_not_exist_is_a_failure_of_dns() -> None:
    async with name_server(NameServer) as resolver:
        error = await failure("http://nowhere.example/", Transport(resolver=resolver))
    assert (error.reason, error.message) == (Reason.DNS, "nowhere.example cannot be resolved: Domain name not found")
    assert list(error.phases) == ["resolve"]


async def test_the_hosts_file_is_respected() -> None:
    lines = Path("/etc/hosts").read_text().splitlines()
    names = [line.split()[1] for line in lines if line.strip() and not line.startswith("#")]
    other = [name for name in names if "localhost" not in name and not name.startswith(("ip6", "ff"))]
    if not other:
        return  # nothing but localhost in it
    resolver = SystemResolver(["127.0.0.1:1"])
    try:
        assert await resolver.resolve(other[0])
    finally:
        await resolver.aclose()


@pytest.mark.parametrize("host", ["a..b", "x" * 300, "-", "a b"])
async def test_a_name_that_cannot_be_one_is_a_failure_of_dns(host: str) -> None:
    async with name_server(NameServer) as resolver:
        with pytest.raises(TransportError) as caught:
            await resolver.resolve(host)
    assert caught.value.reason is Reason.DNS


@pytest.mark.by_the_clock
async def test_a_dead_name_server_times_out_and_holds_up_nobody_else() -> None:
    async with name_server(asyncio.DatagramProtocol) as dead, serving(repeating(ok(b"fine"))) as port:
        names = [f"http://host{i}.shop.example/" for i in range(50)]
        waiting = [asyncio.create_task(failure(name, Transport(resolver=dead), within=0.5)) for name in names]
        await asyncio.sleep(0)
        started = asyncio.get_running_loop().time()
        assert (await get(f"http://localhost:{port}/", Transport(resolver=dead))).content == b"fine"
        assert asyncio.get_running_loop().time() - started < 0.4
        errors = await asyncio.gather(*waiting)
    assert {error.reason for error in errors} == {Reason.TIMEOUT}
    assert errors[0].message.startswith("host0.shop.example port 80: the name was not resolved within 0.")
    assert list(errors[0].phases) == ["resolve"]
