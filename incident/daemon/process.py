"""`shopwatch run`: web app, engine, outbox and the supervised prober, in one task group."""

import asyncio
import gc
import os
import pwd
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click
import structlog

from incident.channels import build_channels
from incident.core.actor import Actor, Kind, Role
from incident.daemon import engine, heartbeat, logs
from incident.daemon.listening import announce, bind, left_token, sole_daemon, url_of
from incident.daemon.outbox import Outbox
from incident.daemon.prober_line import ProberLine
from incident.daemon.reload import Reloading, finder
from incident.daemon.serving import web_server
from incident.daemon.supervisor import Supervisor
from incident.desk import Desk
from incident.errors import IncidentError
from incident.settings import load_settings
from incident.store.database import sqlite_url
from incident.watching import WATCHERS
from incident.watching import run as watch
from incident.web.app import create_app
from probes.errors import ProbesError
from probes.files.workspace import Workspace, load_workspace
from probes.terminal import USAGE, clean, fail
from runbooks.library import Library

log = structlog.get_logger("daemon")


@dataclass(frozen=True)
class Ready:
    """What a daemon says of itself once it can be reached. `token` is that of its commands' account, role admin."""

    url: str
    workspace: Path
    token: str
    desk: Desk


def main(folder: Path, port: int | None, database: str | None) -> None:
    """The command: ends with exit code 2 and a plain word where the daemon cannot start."""
    logs.configure()
    try:
        workspace = load_workspace(folder)
        asyncio.run(_until_signal(workspace, port, database))
    except (IncidentError, ProbesError) as error:
        fail(str(error), USAGE)
    except ExceptionGroup as group:  # a part of it broke, and took the others down in good order
        log.critical("the daemon broke", exc_info=group)
        sys.exit(1)


async def _until_signal(workspace: Workspace, port: int | None, database: str | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await serve(workspace, port=port, database=database, on_ready=_say, stop=stop)


def _say(ready: Ready) -> None:
    with suppress(BrokenPipeError):  # nobody reads us, which is no reason not to run
        _print(ready)


def _print(ready: Ready) -> None:
    click.echo(f"Status page  {ready.url}/")
    click.echo(f"API          {ready.url}/api/v1/  (and Alertmanager's at /api/v2/)")
    click.echo(f"Workspace    {clean(str(ready.workspace.resolve()))}")
    sys.stdout.flush()


async def serve(
    workspace: Workspace,
    *,
    port: int | None = None,
    database: str | None = None,
    on_ready: Callable[[Ready], None] = lambda _: None,
    stop: asyncio.Event,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Runs until `stop` is set. `database` is an SQLAlchemy URL; `environment` is the prober's, by default ours.

    Raises CannotListen, AlreadyRunning, StoreUnavailable or WorkspaceInvalid when it cannot start.
    """
    settings = load_settings(workspace)
    host = settings.listen.host
    with sole_daemon(workspace.state) as lock, _listening(host, settings.listen.port if port is None else port) as near:
        sock, url = near
        announce(lock, url)
        desk = Desk(
            database or sqlite_url(workspace.state / "shopwatch.db"),
            settings,
            runbook_finder=finder(Library(workspace.dir)),
            base_url=settings.status_page.public_url or url,
        )
        await desk.start()
        outbox = Outbox(desk, build_channels(settings, desk))
        try:
            line = ProberLine()
            prober = _prober(workspace, url, desk, environment, line)
            reloading = Reloading(workspace, desk, outbox, prober, url)
            server = web_server(await create_app(desk, settings, workspace.dir, line, reloading.reload))
            secret = desk.lend_token(Actor(_account(), Role.ADMIN))
            with left_token(host, sock.getsockname()[1], secret):
                async with asyncio.TaskGroup() as group:
                    web = group.create_task(server.serve(sockets=[sock]))
                    parts = (
                        engine.run(desk),
                        outbox.run(),
                        reloading.run(),
                        watch(desk, WATCHERS),
                        desk.history.run(),
                        heartbeat.run(desk),
                        desk.attachments.run(),
                        desk.reviews.run(),
                    )
                    core = [group.create_task(work) for work in parts]
                    supervised = group.create_task(prober.run())
                    _spare_the_collector()
                    on_ready(Ready(url, workspace.dir, secret, desk))
                    log.info("ready", url=url, workspace=str(workspace.dir))
                    await stop.wait()
                    await _ended([supervised])  # first, so that its last words still find us
                    server.should_exit = True
                    await web
                    await _ended(core)
        finally:
            await outbox.close()
            await desk.close()
            log.info("ended")


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _listening(host: str, port: int) -> Iterator[tuple[socket.socket, str]]:
    with bind(host, port) as sock:
        yield sock, url_of(host, sock.getsockname()[1])


def _prober(
    workspace: Workspace, url: str, desk: Desk, environment: Mapping[str, str] | None, line: ProberLine
) -> Supervisor:
    token = desk.lend_token(Actor("prober", Role.VIEWER, Kind.SOURCE))
    command = [sys.executable, "-P", "-m", "probes", "-w", str(workspace.dir), "--report-to", url, "--supervised"]
    return Supervisor("prober", command, {**(environment or os.environ), "SHOPWATCH_TOKEN": token}, line=line)


def _spare_the_collector() -> None:
    """What is there by now stays: it need not be walked again and again while thousands of alerts come in."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _account() -> str:
    """The name of the account that runs this, from the system and not from the environment."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"
