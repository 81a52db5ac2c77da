"""A template of anybody's, rendered in a process of its own: `python -m incident.reviews.apart`.

The sandbox keeps a template away from what is not its business, and counts what it does. What it cannot count, such as
a thousand texts of a megabyte held at once, ends that process and not the daemon. It sees nothing of our environment.
"""

import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2.exceptions import SecurityError, TemplateError

from incident.errors import Refused
from probes.language.bounds import start_budget
from probes.language.filters import ALL
from probes.language.sandbox import Sandbox

CPU_SECONDS = 1.0
MEMORY = 256 << 20  # bytes of address space beyond what the process has at its start
LONGEST = 20.0  # seconds by the clock, on a busy machine
LARGEST = 1 << 20  # characters of the outcome
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LANG")  # of the environment
_NICE = 10
_FAILURES = (TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Renderer:
    """One template at a time, so that many who ask take no more of the machine than one does."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def render(self, source: str, given: Mapping[str, Any]) -> str:
        """`given` is JSON. Raises Refused where the template makes no sense, or takes too much."""
        async with self._turn:
            said = await _asked(json.dumps({"source": source, "given": given}).encode())
        answer: dict[str, str] = json.loads(said) if said else {"refused": _too_much()}
        if "refused" in answer:
            raise Refused(f"the template of the review{answer['refused']}")
        return answer["text"]


def _too_much() -> str:
    return f" needs more than {CPU_SECONDS:g} s of computing, or {MEMORY >> 20} MiB of memory"


async def _asked(job: bytes) -> bytes:
    """b"" where the process ended without a word."""
    command = [sys.executable, "-P", "-m", "incident.reviews.apart"]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=none, env=environment)
    try:
        async with asyncio.timeout(LONGEST):
            said, _ = await process.communicate(job)
    except TimeoutError:
        return b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said if process.returncode == 0 else b""


def rendered(source: str, given: Mapping[str, Any]) -> str:
    """Raises Refused, whose text goes on after `the template of the review`."""
    try:
        sandbox = Sandbox(ALL)
        template = sandbox.from_string(sandbox.parse_checked(source))
        start_budget()
        size, pieces = 0, []
        for piece in template.generate(given):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST:
                raise SecurityError(f"makes a text longer than {LARGEST} characters")
        return "".join(pieces)
    except SyntaxError:
        raise Refused(": it is nested too deeply") from None
    except MemoryError:
        raise Refused(_too_much()) from None
    except _FAILURES as error:
        line = getattr(error, "lineno", None)
        where = f", line {line}" if line else ""
        raise Refused(f"{where}: {error}") from None


def _bound() -> None:
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the daemon, which waits for us
    signal.signal(signal.SIGPROF, signal.SIG_DFL)


def main() -> None:
    _bound()
    job = json.loads(sys.stdin.buffer.read())
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        answer = {"text": rendered(job["source"], job["given"])}
    except Refused as refused:
        answer = {"refused": str(refused)}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
