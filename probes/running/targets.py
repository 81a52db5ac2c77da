"""Hosts and ports that a step names without a URL: which of them a run may talk to, and how a connection is opened."""

import asyncio
import ssl

from probes.http import Exchange, TransportError
from probes.http.channel import Channel
from probes.http.dial import dial
from probes.http.url import Host, Origin
from probes.language.checks import split_address
from probes.language.templates import Template
from probes.result import Reason
from probes.running.failure import Failed
from probes.running.run import Run


def address(template: Template, run: Run) -> tuple[str, int]:
    """Host and port of `host:port`. Raises Failed."""
    text = run.text(template)
    try:
        host, port = split_address(text)
    except ValueError as error:
        raise Failed(Reason.CONFIG, "a host with its port", str(error)) from None
    check_allowed(template, run, host, port)
    return host, port


def check_allowed(template: Template, run: Run, host: str, port: int | None) -> None:
    """A host that the file spells out is meant. One that a template makes may come from the shop's own pages: it must
    be the journey's own host or one of `hosts`. Raises Failed (header, as for a request)."""
    session, name = run.session, host.lower()
    if template.constant or (session.own is not None and session.own.name == name):
        return
    if not any(allowed.name == name and allowed.port in (None, port) for allowed in session.hosts):
        own = [] if session.own is None else [session.own.name]
        known = ", ".join([*own, *(allowed.name for allowed in session.hosts)]) or "hosts (there are none)"
        raise Failed(Reason.HEADER, f"a host within {known}", f"{host} (add it to hosts to allow it)")


async def connect(run: Run, where: Host | tuple[str, int], deadline: float, context: ssl.SSLContext | None) -> Channel:
    """An open connection, with TLS where there is a context; its phases are the step's. Raises TransportError."""
    host, port = where
    assert port is not None
    if deadline <= asyncio.get_running_loop().time():
        raise TransportError(Reason.TIMEOUT, "no time was left to connect")
    exchange = Exchange(deadline)
    try:
        channel = await dial(Origin("tcp", host, port), run.context.resolver, context, exchange)
    except TransportError as error:
        run.session.spent.update(error.phases)
        raise
    exchange.stop()
    exchange.phases.pop("processing", None)
    run.session.spent.update(exchange.phases)
    return channel
