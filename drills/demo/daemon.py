"""`python -P -m drills.demo.daemon WORKSPACE PORT`: `shopwatch run`, ended with the demo, however that ends."""

import os
import signal
import sys
from pathlib import Path

from probes import lifeline


def main() -> None:
    from incident.daemon.process import main as run

    lifeline.watch(lambda: os.kill(os.getpid(), signal.SIGTERM))
    run(Path(sys.argv[1]), int(sys.argv[2]), None)


if __name__ == "__main__":
    main()
