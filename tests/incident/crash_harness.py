"""A process to be killed: a desk with its engine and outbox. `crash_harness.py desk DATABASE WEBHOOK`.

With `crash_harness.py daemon DATABASE WORKSPACE` it is the whole daemon, which is spoken to over HTTP.

`start` begins a process, which says `born PID` at once and `ready` when it listens. Each line on standard input is
then a command, answered by one line on standard output once it is on disk: `alert SERVICE N` takes an alert in,
`note N TEXT` adds to an incident, `update N TEXT` too, and is delivered.
"""

import asyncio
import gc
import os
import sys
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

from incident.channels import build_channels
from incident.core.actor import Actor, Role
from incident.daemon import engine, logs
from incident.daemon.outbox import Outbox
from incident.desk import Desk
from incident.errors import NotFound, StoreUnavailable
from incident.settings import Settings
from probes.alert import Alert

# What the daemon imports on its way, after it was told to start: half a second of each of its lives.
IMPORTED_LATE = (
    "incident.daemon.process", "incident.store.migrate", "incident.channels.webhook", "anyio._backends._asyncio",
    "httpcore", "probes.files.loading", "pydantic.v1", "psycopg", "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite", "uvicorn.lifespan.off", "uvicorn.loops.auto",
)  # fmt: skip
SERVICES = ("login", "catalog", "payment", "logistics")
PERSON = Actor("mara", Role.RESPONDER, via="cli")


def settings(webhook: str) -> Settings:
    return Settings.model_validate(
        {
            "shop": {"name": "Example Shop"},
            "services": {name: {"title": name} for name in SERVICES},
            "channels": {"hook": {"webhook": webhook}},
            "routes": [{"channels": ["hook"]}],
        }
    )


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # whole or not at all, whenever the process is killed


async def obey(desk: Desk, line: str) -> str:
    word, first, second = line.split(" ", 2)
    try:
        if word == "alert":
            now = datetime.now(UTC)
            labels = {"alertname": "JourneyDown", "service": first, "number": second}
            await desk.intake([Alert(labels, now, now + timedelta(hours=1))], "test")
        else:
            await desk.perform(word, int(first), PERSON, {"text": second})
    except NotFound:
        return "absent"
    except StoreUnavailable:  # the server was killed, and not we
        return "refused"
    return "done"


async def work(database: str, webhook: str) -> None:
    desk = Desk(database, settings(webhook))
    await desk.start()
    channels = build_channels(desk.settings, desk)
    async with asyncio.TaskGroup() as group:
        group.create_task(engine.run(desk))
        group.create_task(Outbox(desk, channels).run())
        say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            say(await obey(desk, line.rstrip("\n")))


def live(kind: str, database: str, place: str) -> None:
    say(f"born {os.getpid()}")
    if kind == "desk":
        asyncio.run(work(database, place))
    else:
        from incident.daemon import process

        os.setsid()  # what it starts is told by its group
        os.dup2(2, 1)
        process.main(Path(place), None, database)


def breed(kind: str, database: str, place: str) -> None:
    """For each line `start`: a fresh process over the same pipes, which takes the commands until it is killed.

    Forked from one that has imported everything, so that a round costs no second of imports.
    """
    gc.collect()
    gc.freeze()
    while line := sys.stdin.readline():
        if line != "start\n":
            continue  # a command that the last one did not live to read
        child = os.fork()
        if child == 0:
            try:
                live(kind, database, place)
            finally:
                os._exit(1)
        os.waitpid(child, 0)
        say("dead")


if __name__ == "__main__":
    if sys.argv[1] == "daemon":
        for name in IMPORTED_LATE:  # seconds that a mere desk can do without
            import_module(name)
    logs.configure(console=False)  # to standard error: standard output is for the answers alone
    breed(*sys.argv[1:])
