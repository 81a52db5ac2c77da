"""Talks to a running Shopwatch. The standard library only, because the command line starts with it."""

import json
import os
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from incident.errors import IncidentError
from incident.plain_http import NotHttp, Server

DEFAULT_URL = "http://127.0.0.1:8470"


class Unreachable(IncidentError):
    """No Shopwatch answered; trying again may help."""

    permanent = False


class BadAddress(IncidentError):
    """The URL of the Shopwatch to talk to makes no sense, or the token for it."""


class Answered(IncidentError):
    """Shopwatch answered, and the answer is no. `status` is the HTTP status, the text is its own."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.permanent = status < 500


class Client:
    """One Shopwatch. A connection per call; nothing is kept open.

    Without a `token` the one is used that a daemon of this account on this machine left in its token file, and that
    one is sent nowhere but to the address for which it was left.
    """

    def __init__(self, url: str | None = None, token: str | None = None, timeout: float = 15.0) -> None:
        self.url = (url or os.environ.get("SHOPWATCH_URL") or DEFAULT_URL).rstrip("/")
        parts = urlsplit(self.url)
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            raise BadAddress(f"{self.url!r} is not an address of a Shopwatch: write it as {DEFAULT_URL}")
        self.host = parts.hostname
        self.port = port or (443 if parts.scheme == "https" else 80)
        self.tls = parts.scheme == "https"
        self.prefix = parts.path
        self.timeout = timeout
        self.token = token or os.environ.get("SHOPWATCH_TOKEN") or None
        if self.token is None:
            self._use_token_file()
        if self.token and not (self.token.isascii() and self.token.isprintable()):
            raise BadAddress("the token ($SHOPWATCH_TOKEN) has characters that are in none: copy it again")

    def get(self, path: str, **query: Any) -> Any:
        """The JSON document at `path`. Queries that are None are left out; lists are repeated."""
        return self.call("GET", _with_query(path, query))

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, {} if body is None else body)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer (None for an empty one). Raises Unreachable or Answered."""
        return self._read(*self._ask(method, path, body))

    def download(self, path: str, **query: Any) -> bytes:
        """The answer as it is. Raises Unreachable or Answered."""
        status, answer = self._ask("GET", _with_query(path, query), None)
        if status != 200:
            self._read(status, answer)
        return answer

    def _ask(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        server = Server(self.host, self.port, tls=self.tls, timeout=self.timeout)
        data = None if body is None else json.dumps(body, ensure_ascii=False, default=str).encode()
        target = quote(self.prefix + path, safe="/?&=%+")
        try:
            return server.ask(method, target, self._headers(data), data)
        except (OSError, NotHttp) as error:
            raise Unreachable(f"no Shopwatch answers at {self.url} ({_why(error)})") from None

    def _headers(self, data: bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "X-Shopwatch-Via": "cli"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers

    def _read(self, status: int, answer: bytes) -> Any:
        try:
            document = json.loads(answer) if answer.strip() else None
        except ValueError:
            raise Unreachable(f"what answers at {self.url} is not Shopwatch (HTTP {status}, no JSON)") from None
        if 200 <= status < 300:
            return document
        text = document.get("error") or document.get("message") if isinstance(document, dict) else document
        raise Answered(status, str(text or f"HTTP {status}"))

    def _use_token_file(self) -> None:
        names = ["localhost", "127.0.0.1", "::1"] if self.host == "localhost" else [self.host]
        for name in names:
            path = token_file(name, self.port)
            if name != "localhost" and _own_address(name) and (token := _read_token(path)):
                self.host, self.token = name, token
                return


def _with_query(path: str, query: dict[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return path + ("?" + urlencode(given, doseq=True) if given else "")


def token_file(host: str, port: int) -> Path:
    """Where a daemon that listens there leaves the token for the commands of its own account (mode 0600)."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return state / "shopwatch" / f"{host}_{port}.token"


def _read_token(path: Path) -> str | None:
    """None where there is none, or where it is not ours alone to read."""
    try:
        with path.open(encoding="ascii") as file:
            info = os.fstat(file.fileno())
            if info.st_uid != os.getuid() or info.st_mode & 0o077:
                return None
            return file.read(4096).strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _own_address(host: str) -> bool:
    """Whether `host` is an address of this very machine (a name is not: somebody else says where it leads)."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if address.is_loopback:
        return True
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
