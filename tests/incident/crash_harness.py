"""A process to be killed: a desk with its engine and outbox. `crash_harness.py DATABASE WEBHOOK`.

`start` begins a process, which says `born PID` at once and `ready` when it listens. Each line on standard input is
then a command, answered by one line on standard output once it is on disk: `alert SERVICE N` takes an alert in,
`note N TEXT` adds to an incident, `update N TEXT` too, and is delivered.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta

from incident.channels import build_channels
from incident.core.actor import Actor, Role
from incident.daemon import engine, logs
from incident.daemon.outbox import Outbox
from incident.desk import Desk
from incident.errors import NotFound
from incident.settings import Settings
from probes.alert import Alert

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
    if word == "alert":
        now = datetime.now(UTC)
        labels = {"alertname": "JourneyDown", "service": first, "number": second}
        await desk.intake([Alert(labels, now, now + timedelta(hours=1))], "test")
    else:
        try:
            await desk.perform(word, int(first), PERSON, {"text": second})
        except NotFound:
            return "absent"
    return "done"


async def main(database: str, webhook: str) -> None:
    say(f"born {os.getpid()}")
    desk = Desk(database, settings(webhook))
    await desk.start()
    channels = build_channels(desk.settings, desk)
    async with asyncio.TaskGroup() as group:
        group.create_task(engine.run(desk))
        group.create_task(Outbox(desk, channels).run())
        say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            say(await obey(desk, line.rstrip("\n")))


def breed(database: str, webhook: str) -> None:
    """For each line `start`: a fresh process over the same pipes, which takes the commands until it is killed.

    Forked from one that has imported everything, so that a round costs no second of imports.
    """
    while line := sys.stdin.readline():
        if line != "start\n":
            continue  # a command that the last one did not live to read
        child = os.fork()
        if child == 0:
            asyncio.run(main(database, webhook))
            os._exit(0)
        os.waitpid(child, 0)
        say("dead")


if __name__ == "__main__":
    logs.configure(console=False)  # to standard error: standard output is for the answers alone
    breed(*sys.argv[1:])
