"""One query to an SQLite file, in a process of its own that is killed when the time is up."""

import asyncio
import json
import sys
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any
from urllib.parse import unquote

from probes.http import TransportError
from probes.language.kinds import Step
from probes.language.values import MISSING, parse_json
from probes.result import Reason
from probes.running.databases import sqlite_child
from probes.running.failure import Failed
from probes.running.measured import Measured
from probes.running.run import Run

_CHILD = Path(sqlite_child.__file__)
_REASONS = {
    "connect": (Reason.CONNECT, "a database that can be opened"),
    "busy": (Reason.TIMEOUT, "an answer in time"),
    "config": (Reason.CONFIG, "one query that the database understands, and that only reads"),
}


async def ask(step: Step, run: Run, url: str, statement: str, deadline: float) -> Measured:
    """Raises Failed and TransportError. A relative path is one from the folder of the journey's file."""
    path = _path(url, run.journey.file.parent)
    run.command = ["sqlite3", "-readonly", str(path), statement]
    loop = asyncio.get_running_loop()
    started, its_turn = loop.time(), False
    try:
        async with asyncio.timeout_at(deadline):
            async with run.context.sqlite_turns:
                its_turn = True
                answer = await _in_a_process(path, statement, max(0.05, deadline - loop.time()))
    except TimeoutError:
        if not its_turn:
            raise Failed(Reason.PROBER, "a turn to ask SQLite", "other queries took all of the time") from None
        raise TransportError(Reason.TIMEOUT, f"{path.name}: the query had no result in time") from None
    finally:
        run.session.spent["processing"] = loop.time() - started
    if "rows" not in answer:
        reason, expected = _REASONS.get(str(answer.get("failed")), _REASONS["config"])
        raise Failed(reason, expected, str(answer.get("why"))[:2000])
    rows = answer["rows"]
    return Measured(rows[0] if rows else MISSING)


def _path(url: str, folder: Path) -> Path:
    """Of `sqlite:///relative.db` and `sqlite:////absolute.db`. Raises Failed."""
    _, _, rest = url.partition("://")
    name = unquote(rest.partition("?")[0])
    if not name.startswith("/") or len(name) < 2 or "\0" in name:
        raise Failed(Reason.CONFIG, "an SQLite file: sqlite:///shop.db, sqlite:////srv/shop.db", f"{url[:300]!r}")
    return folder.absolute() / name[1:]


async def _in_a_process(path: Path, statement: str, seconds: float) -> dict[str, Any]:
    """What the child says. Cancelling it kills the child."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(_CHILD), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd="/", env={}
    )
    question = {"path": str(path), "statement": statement, "seconds": seconds}
    try:
        out, _ = await child.communicate(json.dumps(question).encode())
    finally:
        if child.returncode is None:
            child.kill()
            await asyncio.shield(child.wait())
    try:
        answer = parse_json(out)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Failed(Reason.PROBER, "a process that asks SQLite", f"it ended with code {child.returncode}")
    return answer
