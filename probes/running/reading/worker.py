"""The readers' own side: `python -m probes.running.reading.worker FD` forks one reader for each socket that it is sent.

The first process imports everything once and never reads a page itself, so that a new reader costs milliseconds. Both
end when the prober does: their sockets close. A reader that takes more CPU time than it may is ended by the kernel.
"""

import gc
import os
import pickle
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from probes.errors import ProbesError
from probes.running.reading import wire
from probes.running.reading.inspection import Questions, fill_in, inspect

CPU_SECONDS = 1.0  # for one answer
MEMORY = 384 << 20  # bytes of address space beyond what a reader has at its start
_KEEP_BELOW = 64 << 10  # KiB that a reader may have grown by and still be used again
_NICE = 10  # the prober's own loop goes first


def main(control: socket.socket) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the prober, whose end is ours
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(_NICE)
    gc.collect()
    gc.freeze()
    while True:
        said, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not said:
            return
        if os.fork() == 0:
            control.close()
            _read_all(socket.socket(fileno=descriptors[0]))
        os.close(descriptors[0])


def _read_all(prober: socket.socket) -> NoReturn:
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    begin, last = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, False
    try:
        while not last and (length := _exactly(prober, wire.LENGTH.size)):
            job = _exactly(prober, wire.LENGTH.unpack(length)[0])
            if not job:
                break  # nobody waits for it any more
            signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
            before = _cpu()
            said = _answer(job)
            last = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begin > _KEEP_BELOW
            reply = pickle.dumps((said, _cpu() - before, last))
            signal.setitimer(signal.ITIMER_PROF, 0)
            prober.sendall(wire.frame(reply if len(reply) <= wire.MAX_REPLY else b""))
    except BaseException as error:  # noqa: BLE001 - it must not get back into the loop that forks
        if not isinstance(error, OSError | MemoryError):
            print(f"a reader broke: {type(error).__name__}: {error}", file=sys.stderr)
        os._exit(1)
    os._exit(0)


def _exactly(prober: socket.socket, size: int) -> bytes:
    """b"" at the end."""
    data = bytearray()
    while len(data) < size:
        piece = prober.recv(min(size - len(data), 1 << 20))
        if not piece:
            return b""
        data += piece
    return bytes(data)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _answer(job: bytes) -> Any:
    name, *arguments = pickle.loads(job)  # noqa: S301 - it comes from our own parent
    return _JOBS[name](*arguments)


def _inspect(asked: bytes, answer: Any, values: Any, now: Any) -> Any:
    return wire.pack_inspected(inspect(_questions(asked), wire.unpack_answer(answer), values, now))


@lru_cache(maxsize=256)
def _questions(asked: bytes) -> Questions:
    questions = pickle.loads(asked)  # noqa: S301 - it comes from our own parent
    assert isinstance(questions, Questions)
    return questions


def _fill_in(page: Any, selector: str, fields: Any, button: str | None) -> Any:
    try:
        return True, wire.pack_submission(fill_in(wire.unpack_answer(page), selector, fields, button))
    except ProbesError as error:
        return False, wire.pack_error(error)


_JOBS: dict[str, Callable[..., Any]] = {"inspect": _inspect, "fill_in": _fill_in}


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
