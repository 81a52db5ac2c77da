"""The prober as a process: its arguments, its log, its signals, its place on disk."""

import asyncio
import fcntl
import gc
import logging
import os
import re
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import structlog

from probes import lifeline
from probes.errors import ProbesError
from probes.files.workspace import Workspace, load_workspace
from probes.language.journey import Journey
from probes.terminal import NOT_WELL, USAGE

log = structlog.get_logger("prober")

_LOCATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


class CannotStart(ProbesError):
    """The prober's arguments or its place on disk do not allow it to start."""


def main(
    folder: Path, *, report_to: str, location: str = "local", supervised: bool = False, control: int | None = None
) -> int:
    """Runs the prober of this workspace until it is told to stop (SIGTERM, SIGINT). Returns the exit code.

    `supervised`: standard input is a pipe from the parent, and the prober ends when it closes. `control`: the file
    descriptor of a socket on which runs on demand are asked for.
    """
    configure_log()
    early = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: early.set())  # one that comes before we are ready is not to end us
    try:
        if not _LOCATION.fullmatch(location):
            raise CannotStart(f"--location {location!r}: letters, digits, `_`, `.` and `-`, at most 63 of them")
        workspace = load_workspace(folder)
        journeys, _ = workspace.journeys()
        with _sole(workspace, location):
            asyncio.run(
                _serve(
                    workspace,
                    journeys,
                    report_to,
                    location,
                    supervised=supervised,
                    control=control,
                    reload_early=early,
                )
            )
    except ProbesError as error:
        for line in str(error).splitlines():
            log.error("the prober cannot start", problem=line)
        return USAGE
    except OSError as error:  # of the state folder: full, read-only, somebody else's
        log.error("the prober cannot go on", problem=str(error))
        return NOT_WELL
    except KeyboardInterrupt:  # before the loop took the signals over
        return 0
    return 0


async def _serve(
    workspace: Workspace,
    journeys: list[Journey],
    report_to: str,
    location: str,
    *,
    supervised: bool,
    control: int | None,
    reload_early: threading.Event,
) -> None:
    from probes.prober.serving import Prober

    stop = asyncio.Event()
    _stop_when_told(stop, supervised)
    _allow_many_connections()
    prober = Prober(workspace, journeys, report_to, location, folder_of(workspace, location) / "state.json")
    configure_log(prober.masks)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, prober.reloading.ask)
    if reload_early.is_set():
        prober.reloading.ask()
    if not journeys:
        log.warning("there are no journeys in this workspace's probes/ folder")
    on_demand = None if control is None else socket.socket(fileno=control)
    await prober.serve(stop, watch=not supervised, on_demand=on_demand, ready=spare_the_collector)


def spare_the_collector() -> None:
    """Journeys and modules live for ever: the collector need not walk them again, and runs leave few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _stop_when_told(stop: asyncio.Event, supervised: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def parent_gone() -> None:
        with suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(stop.set)
        time.sleep(2.0)
        os._exit(1)  # whatever still holds us

    if supervised:
        lifeline.watch(parent_gone)


def _allow_many_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(65536, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def folder_of(workspace: Workspace, location: str) -> Path:
    folder = workspace.state / "prober" / location
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _sole(workspace: Workspace, location: str) -> IO[str]:
    """Holds the lock of this workspace and location until closed. Raises CannotStart while another prober has it."""
    path = folder_of(workspace, location) / "lock"
    file = path.open("a")
    deadline = time.monotonic() + 3.0  # one that was just told to end may still be ending
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() > deadline:
                file.close()
                raise CannotStart(
                    f"another prober runs here as location {location!r}: give this one its own --location"
                ) from None
            time.sleep(0.05)


class _Stderr:
    """Standard error, whose reader may go away: then there is nobody left to tell."""

    def write(self, text: str) -> int:
        with suppress(BrokenPipeError, ValueError):
            return sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(BrokenPipeError, ValueError):
            sys.stderr.flush()


def configure_log(mask: Callable[[str], str] = str) -> None:
    """JSON lines on standard error, for our own words and for those of the libraries. `mask` hides secrets in them: a
    traceback says what a library thinks of a value, and may quote it."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper("iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    as_json = structlog.processors.JSONRenderer(ensure_ascii=False)

    def lines(logger: Any, name: str, event: structlog.typing.EventDict) -> str:
        return mask(str(as_json(logger, name, event)))

    structlog.configure(
        processors=[*shared, lines],
        logger_factory=structlog.PrintLoggerFactory(_Stderr()),  # type: ignore[arg-type]
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    handler = logging.StreamHandler(_Stderr())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, lines]
        )
    )
    logging.getLogger().handlers[:] = [handler]
    logging.getLogger().setLevel(logging.WARNING)
    threading.excepthook = lambda args: log.error("a thread broke", exc_info=args.exc_value)
