"""What a drill breaks: the practice shop of this machine and account."""

import os
from typing import NamedTuple
from urllib.parse import urlsplit

from drills.errors import Refused
from incident.client import token_file

DEFAULT_URL = "http://127.0.0.1:8471"


class Shop(NamedTuple):
    """A practice shop: its address, and the token of its switches."""

    url: str
    token: str


def practice_shop(url: str | None = None) -> Shop:
    """`url`, else $SHOP_URL, else the usual address, with $PRACTICE_TOKEN or the token that the shop's launcher left.

    Raises Refused when there is no token for it.
    """
    address = (url or os.environ.get("SHOP_URL") or DEFAULT_URL).rstrip("/")
    parts = urlsplit(address)
    token = os.environ.get("PRACTICE_TOKEN")
    if not token and parts.hostname in ("127.0.0.1", "localhost"):
        path = token_file("127.0.0.1", parts.port or 80)
        token = path.read_text().strip() if path.is_file() else None
    if not token:
        raise Refused(f"no practice shop of this account runs at {address}: start one with `shopwatch practice`")
    return Shop(address, token)
