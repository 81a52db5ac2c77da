"""Starts the practice shop and a Shopwatch, runs the drill, and takes everything down again."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import click

from drills.conductor import Conductor
from drills.demo import workspace
from drills.demo.screen import PlainScreen, Screen, screen
from drills.errors import DrillsError
from drills.loading import load_file
from drills.practice.launch import SHOP, Practice, wait_for_end
from drills.practice.serving import bind
from drills.report import print_scorecard
from drills.scorecard import Scorecard
from drills.target import Shop
from drills.watch import Watch
from incident.client import Answered, Client, Unreachable, token_file
from probes.files.secrets import Environment
from probes.files.yamlfile import load
from runbooks.library import Library

DRILL = "payment-declines"
HOST = "127.0.0.1"
READY_WITHIN = 20.0  # seconds
UP_WITHIN = 60.0  # seconds that the journeys have to be up for the first time
ENDS_WITHIN = 2.0  # seconds that the daemon has to go by itself
BEAT = 0.25  # seconds between two looks


class DemoFailed(DrillsError):
    """The demo could not be set up; the text says what to do."""


async def play(port: int, *, once: bool) -> bool:
    """Whether the drill passed. `port` is Shopwatch's, the shop and its neighbours take those after it; 0: free ones.

    Raises DrillsError (PortInUse among them), CancelledError; nothing is left running then either.
    """
    own = _free(port)
    ports = {name: port + offset for offset, name in enumerate(SHOP, start=1)} if port else {}
    async with Practice(SHOP, ports=ports) as practice:
        folder = workspace.write()
        shop = Shop(practice.urls["shop"], practice.token)
        click.echo(_addresses(own, shop.url, folder))
        async with _shopwatch(folder, own, shop.url) as client:
            card = await _drilled(folder, client, shop)
            click.echo()
            print_scorecard(card.to_json())
            click.echo("\n" + _addresses(own, shop.url, folder))
            if not once:
                click.echo("It all goes on until Ctrl-C.")
                async with _shown(client, PlainScreen(known=True)):
                    await asyncio.Event().wait()
    return card.passed


def _free(port: int) -> int:
    """The port, or a free one for 0. Raises PortInUse."""
    with bind(port) as sock:
        return int(sock.getsockname()[1])


def _addresses(port: int, shop: str, folder: Path) -> str:
    return (
        f"The practice shop:  {shop}/\n"
        f"The status page:    http://{HOST}:{port}/   in Chinese: http://{HOST}:{port}/zh/\n"
        f"The workspace:      {folder}"
    )


async def _drilled(folder: Path, client: Client, shop: Shop) -> Scorecard:
    view = screen()
    async with _shown(client, view):
        view.say("waiting until every journey has been up once")
        await _all_up_once(client, folder)
        drill = load_file(folder / "drills" / f"{DRILL}.yaml", Environment(os.environ), [])[0]
        try:
            return await Conductor(drill, client, Library(folder), shop, view.say).run()
        except (Answered, Unreachable) as error:
            raise DemoFailed(f"Shopwatch stopped answering: {error}; see {_log(folder)}") from None


async def _all_up_once(client: Client, folder: Path) -> None:
    """Raises DemoFailed when that takes too long."""
    waiting = set(_journey_names(folder))
    watch = Watch(client)
    end = asyncio.get_running_loop().time() + UP_WITHIN
    while waiting:
        snapshot = await watch.look()
        waiting = {name for name in waiting if snapshot.outcome(name) != "up"}
        if asyncio.get_running_loop().time() > end:
            raise DemoFailed(f"never up within {UP_WITHIN:g} s: {', '.join(sorted(waiting))}; see {_log(folder)}")
        await asyncio.sleep(BEAT)


def _journey_names(folder: Path) -> list[str]:
    files = sorted((folder / "probes").glob("*.yaml"))
    return [document.data["journey"] for file in files for document in load(file, [])]


@contextlib.asynccontextmanager
async def _shown(client: Client, view: Screen) -> AsyncIterator[None]:
    """Keeps the view up to date while the block runs, and shows the end of it."""
    watch = Watch(client)

    async def look() -> None:
        with contextlib.suppress(Unreachable):  # the drill's own look says so, if it lasts
            view.show(await watch.look())

    async def keep_looking() -> None:
        while True:
            await look()
            await asyncio.sleep(BEAT)

    task = asyncio.create_task(keep_looking())
    try:
        yield
        await _ended(task)
        await look()
    finally:
        await _ended(task)
        view.close()


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@contextlib.asynccontextmanager
async def _shopwatch(folder: Path, port: int, shop: str) -> AsyncIterator[Client]:
    """A daemon in a process of its own while the block runs."""
    log = _log(folder)
    log.parent.mkdir(mode=0o700, exist_ok=True)
    _have_a_state_folder(log.parent)
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: ASYNC220 - asyncio's own would tie its end to this loop
            [sys.executable, "-P", "-m", "drills.demo.daemon", str(folder), str(port)],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            env=os.environ | {"SHOP_URL": shop},
            start_new_session=True,  # Ctrl-C is for the demo, which ends the others in order
        )
    try:
        yield await _ready(process, port, log)
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(wait_for_end, process, ENDS_WITHIN)


def _have_a_state_folder(instead: Path) -> None:
    """The daemon leaves its token for us where the account keeps its state; `instead`, where we may not write there."""
    path = token_file(HOST, 0).parent
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(path, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        os.environ["XDG_STATE_HOME"] = str(instead)
        click.echo(f"{path} cannot be written: for commands in another terminal, export XDG_STATE_HOME={instead}")


def _log(folder: Path) -> Path:
    return folder / ".shopwatch" / "daemon.log"


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


async def _ready(process: subprocess.Popen[bytes], port: int, log: Path) -> Client:
    end = asyncio.get_running_loop().time() + READY_WITHIN
    while asyncio.get_running_loop().time() < end:
        if process.poll() is not None:
            raise DemoFailed(f"Shopwatch ended while starting:\n{_tail(log)}")
        client = Client(f"http://{HOST}:{port}")
        with contextlib.suppress(Unreachable, Answered):
            await asyncio.to_thread(client.get, "/api/v1/journeys")
            return client
        await asyncio.sleep(0.05)
    raise DemoFailed(f"Shopwatch did not answer within {READY_WITHIN:g} s; see {log}")
