"""`python -m tests.targets.oscar install | up | fault`; see the package's text."""

import argparse
import signal
import tempfile
import threading
from pathlib import Path

from tests.targets.oscar import faults, shop


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.targets.oscar")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install", help="make its virtual environment and seed it, once")
    up = commands.add_parser("up", help="serve it until Ctrl-C")
    up.add_argument("--port", type=int, default=8101)
    up.add_argument("--state", type=Path, help="a folder to keep it in; default: a temporary one")
    fault = commands.add_parser("fault", help="break it or heal it")
    fault.add_argument("state", type=Path)
    fault.add_argument("name", choices=[n for n in faults.NAMES if n != "locked"])
    fault.add_argument("value", choices=["on", "off"])
    arguments = parser.parse_args()
    if arguments.command == "install":
        shop.install()
    elif arguments.command == "fault":
        faults.put(arguments.state, arguments.name, on=arguments.value == "on")
    else:
        shop.install()
        serve(arguments.port, arguments.state)


def serve(port: int, state: Path | None) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="oscar-") as folder,
        shop.OscarShop(state or Path(folder) / "state", port) as running,
    ):
        print(
            f"{running.url}  state in {running.state}\n"
            "customers buyer@, buyer2@, buyer3@, buyer4@example.com, password Buyer-pass-1",
            flush=True,
        )
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        signal.signal(signal.SIGINT, lambda *_: stop.set())
        stop.wait()


if __name__ == "__main__":
    main()
