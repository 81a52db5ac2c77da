"""A child process that must not outlive its parent, however the parent dies.

The parent starts the child with `stdin=PIPE` and keeps the pipe open; the child calls `watch`. When the parent is
gone, kill -9 included, the kernel closes the pipe and the child leaves.
"""

import os
import sys
import threading
from collections.abc import Callable


def watch(on_parent_gone: Callable[[], None] | None = None) -> None:
    """Ends this process, or calls `on_parent_gone` in a daemon thread, once standard input is closed."""

    def wait() -> None:
        try:
            while os.read(0, 4096):
                pass
        except OSError as error:
            print(f"lifeline: {error}", file=sys.stderr)
        if on_parent_gone is not None:
            on_parent_gone()
        else:
            os._exit(0)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
