"""The process that asks SQLite: a question in JSON on standard input, its answer on standard output.

Run by its path, alone: it imports nothing but the standard library, so that it starts in some 20 ms.
"""

import json
import math
import os
import resource
import sqlite3
import sys
import time
from typing import Any
from urllib.parse import quote

MEMORY = 512 << 20  # of address space
LONGEST = 1 << 20  # bytes of any one value
_STEPS = 20_000  # of SQLite's machine, between looks at the clock
_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


def main() -> None:
    question = json.load(sys.stdin)
    seconds = float(question["seconds"])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds) + 1, math.ceil(seconds) + 1))
    json.dump(ask(question["path"], question["statement"], seconds), sys.stdout)


def ask(path: str, statement: str, seconds: float) -> dict[str, Any]:
    """`rows`: the first column of the first row, in a list that is empty where there is no row; or what `failed`."""
    if not os.path.isfile(path):  # noqa: PTH113 - pathlib would double the time that this process takes to start
        return {"failed": "connect", "why": f"there is no file {path}"}
    ends = time.monotonic() + seconds
    try:
        connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=seconds, isolation_level=None)
        connection.execute("PRAGMA query_only = ON")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.set_authorizer(_allow)
        connection.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)
        row = connection.execute(statement).fetchone()
        return {"rows": [] if row is None else [_plain(row[0])]}
    except sqlite3.Error as error:
        return {"failed": _kind(error), "why": str(error)}
    except MemoryError:
        return {"failed": "config", "why": "the query needs too much memory"}


def _allow(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY


def _kind(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return "config"
    primary = code & 0xFF
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT):
        return "busy"
    if primary in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR):
        return "connect"
    return "config"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    main()
