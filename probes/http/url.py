"""httpx's URL, remembering what every request asks of it: taking it apart again costs as much as sending it."""

from functools import cached_property
from typing import NamedTuple

import httpx

DEFAULT_PORTS = {"http": 80, "https": 443}


class Host(NamedTuple):
    """Who is talked to; `port` None in a list of allowed hosts means any."""

    name: str
    port: int | None


class Origin(NamedTuple):
    """Where a connection leads."""

    scheme: str
    host: str
    port: int

    @property
    def name(self) -> str:
        return f"{self.host} port {self.port}"


class Url(httpx.URL):
    """Never changed once it is made, as httpx's own."""

    @cached_property
    def text(self) -> str:
        return str(self)

    @cached_property
    def at(self) -> Host:
        """With the port that the scheme stands for where the URL names none."""
        return Host(self.host.lower(), self.port or DEFAULT_PORTS.get(self.scheme))

    @cached_property
    def origin(self) -> Origin | None:
        """None for a URL that names no host or is neither http nor https."""
        host = self.raw_host.decode("ascii")
        if self.scheme not in DEFAULT_PORTS or not host:
            return None
        return Origin(self.scheme, host, self.port or DEFAULT_PORTS[self.scheme])

    @cached_property
    def authority(self) -> bytes:
        """As the Host header has it: without a port where it is the scheme's own."""
        return self.netloc

    @cached_property
    def target(self) -> bytes:
        """As the request line has it: path and query."""
        return self.raw_path
