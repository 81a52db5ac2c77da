"""One practice service in a process of its own: `python -P -m drills.practice shop --port 8471 …`.

The launcher hands a bound socket over with `--fd` and the secrets in the environment; by hand, `--port` does.
"""

import argparse
import os
import secrets
import socket
import sys
from typing import Any

from drills.practice.serving import PortInUse, bind, serve

SERVICES = ("shop", "psp", "carrier", "slack")


def main() -> None:
    arguments = _arguments()
    try:
        sock = socket.socket(fileno=arguments.fd) if arguments.fd is not None else bind(arguments.port)
    except PortInUse as error:
        sys.exit(str(error))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    if arguments.fd is None:
        print(f"{arguments.service}: {url}", file=sys.stderr)
    serve(_app(arguments.service, url), sock, supervised=arguments.supervised)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -P -m drills.practice", description="Run one practice service.")
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one and prints it")
    parser.add_argument("--fd", type=int, help="a bound, listening socket that was inherited")
    parser.add_argument("--supervised", action="store_true", help="end when standard input closes")
    return parser.parse_args()


def _app(service: str, url: str) -> Any:
    token, key, secret = (_environment(name) for name in ("PRACTICE_TOKEN", "PRACTICE_KEY", "PRACTICE_SECRET"))
    if service == "psp":
        from drills.practice import psp

        return psp.create_app(token=token, key=key, secret=secret)
    if service == "carrier":
        from drills.practice import carrier

        return carrier.create_app(token=token, key=key, pace=float(os.environ.get("PRACTICE_PACE", "1")))
    if service == "slack":
        from drills.practice.slack.app import create_app

        return create_app(token=token, url=url, settings=os.environ)
    from drills.practice.shop import app

    return app.create_app(
        app.Config(
            url=url,
            psp_url=os.environ.get("PRACTICE_PSP_URL", "http://127.0.0.1:8472"),
            carrier_url=os.environ.get("PRACTICE_CARRIER_URL", "http://127.0.0.1:8473"),
            token=token,
            key=key,
            secret=secret,
            run_key=os.environ.get("SHOPWATCH_RUN_KEY", ""),
            password=os.environ.get("PRACTICE_PASSWORD", "practice"),
        )
    )


def _environment(name: str) -> str:
    """A secret from the environment, else one that nobody knows: then the services only work with a launcher."""
    return os.environ.get(name) or secrets.token_urlsafe(24)


if __name__ == "__main__":
    main()
