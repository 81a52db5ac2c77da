"""Ports, connected to, spoken to and listened to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from probes.result import Reason
from probes.running.context import RunContext
from tests.probes.http.servers import serving
from tests.probes.running.steps.asking import failing, up

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def mail_server() -> AsyncIterator[int]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ready\r\n")
        await reader.readline()
        writer.write(b"250 pleased to meet you\r\n")
        await reader.read()

    async with serving(talk) as port:
        yield port


async def test_a_port_is_connected_to_spoken_to_and_listened_to(context: RunContext) -> None:
    async with mail_server() as port:
        greeted = {
            "tcp": f"127.0.0.1:{port}",
            "send": "EHLO {{ run_id }}\r\n",
            "expect": {"body": {"matches": r"(?s)^220 .*250 "}},
            "save": {"server": {"regex": r"220 (\S+)"}},
        }
        result = await up(context, {"tcp": f"127.0.0.1:{port}"}, greeted, {"check": "{{ server == 'mail.example' }}"})
    assert list(result.steps[0].phases) == ["resolve", "connect"]


async def test_a_server_that_says_something_else_or_nothing(context: RunContext) -> None:
    async with mail_server() as port:
        address = f"127.0.0.1:{port}"
        other = await failing(context, {"tcp": address, "timeout": "200ms", "expect": {"body": {"contains": "SSH"}}})
    assert (other.reason, other.expected, "220 mail.example" in (other.seen or "")) == (
        Reason.BODY, 'body contains "SSH"', True
    )  # fmt: skip
    async with serving(lambda reader, _: reader.read()) as port:  # type: ignore[arg-type, return-value]
        step = {"tcp": f"127.0.0.1:{port}", "timeout": "100ms", "expect": {"body": "x"}}
        silent = await failing(context, step)
    assert (silent.reason, silent.seen) == (Reason.TIMEOUT, "connected, but the server said nothing")


async def test_a_port_where_nobody_listens_is_connect_with_a_command_that_repeats_it(context: RunContext) -> None:
    failed = await failing(context, {"tcp": "127.0.0.1:1"})
    assert (failed.reason, failed.curl) == (Reason.CONNECT, "nc -v -w 5 127.0.0.1 1")


async def test_a_host_that_a_page_named_must_be_one_of_hosts(context: RunContext) -> None:
    async with mail_server() as port:
        step = {"tcp": "{{ vars.where }}"}
        where = {"where": f"127.0.0.1:{port}"}
        failed = await failing(context, step, vars=where)
        assert (failed.reason, "add it to hosts" in (failed.seen or "")) == (Reason.HEADER, True)
        await up(context, step, vars=where, hosts=["127.0.0.1"])


async def test_until_asks_a_port_again(context: RunContext) -> None:
    step = {"tcp": "127.0.0.1:1", "until": {"body": "x"}, "within": "150ms", "poll": "50ms"}
    failed = await failing(context, step)
    assert failed.reason is Reason.FRESHNESS
    assert failed.attempts > 1
