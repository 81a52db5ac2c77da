"""`shopwatch practice`: the practice shop alone, to try journeys on."""

import asyncio
import contextlib
import signal
from shlex import quote
from urllib.parse import urlsplit

import click

from drills.practice.calling import CallFailed
from drills.practice.launch import SHOP, Practice, PracticeFailed
from drills.practice.serving import PortInUse
from drills.practice.shop.store import CUSTOMERS, STAFF
from incident.daemon.listening import left_token
from probes.terminal import USAGE, fail

HOST = "127.0.0.1"
PORT = 8471


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65000), default=PORT, show_default=True,
    help="Of the shop; its neighbours take the ports after it. 0 takes free ones.",
)  # fmt: skip
@click.option("--slack", is_flag=True, help="Start a practice Slack as well.")
def practice(port: int, slack: bool) -> None:
    """Start the practice shop alone, to try journeys on.

    It runs until Ctrl-C, with its payment provider and its carrier, on this machine only. Its switches break it as
    shops break: docs/practice.md lists them.

    \b
    Example:
      shopwatch practice --port 9000
    """
    services = (*SHOP, "slack") if slack else SHOP
    ports = {service: port + offset for offset, service in enumerate(services)} if port else {}
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(_run(Practice(services, ports=ports)))
        except (PortInUse, PracticeFailed, CallFailed) as error:
            fail(str(error), USAGE)


async def _run(practice: Practice) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with practice:
        # `shopwatch drill run` finds the token there; so does nobody else's account.
        with left_token(HOST, urlsplit(practice.urls["shop"]).port or 80, practice.token):
            _explain(practice)
            await ended.wait()


def _explain(practice: Practice) -> None:
    from drills.loading import SHIPPED_JOURNEYS

    for service, url in practice.urls.items():
        click.echo(f"{service:<8} {url}")
    click.echo(f"customers: {', '.join(CUSTOMERS)}; staff: {', '.join(STAFF)}; password: {practice.password}")
    click.echo(f"switch token: {practice.token}")
    click.echo("Walk it as a shopper:")
    click.echo(
        f"  SHOP_URL={practice.urls['shop']} shopwatch probe run {quote(str(SHIPPED_JOURNEYS / 'checkout.yaml'))}"
    )
    click.echo("Break it, for ten minutes:")
    click.echo(
        f"  curl -X PUT {practice.urls['shop']}/_practice/switches -H 'Authorization: Bearer {practice.token}' "
        """-d '{"name": "psp_declines", "value": true, "lease": "10m"}'"""
    )
    click.echo("Mend it:")
    click.echo(
        f"  curl -X DELETE {practice.urls['shop']}/_practice/switches -H 'Authorization: Bearer {practice.token}'"
    )
    click.echo("Ctrl-C ends it.")
