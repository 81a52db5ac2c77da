"""The benchmark's shops, each in a process of its own whose cost nobody counts."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def target(*arguments: str) -> Iterator[int]:
    """The port of a target in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.target", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdin is not None
    with process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()
