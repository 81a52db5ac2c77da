"""One request and its answer over HTTP/1.1, on a connection of its own.

The command line starts anew for every command: `http.client`, with its e-mail headers and TLS, would take it longer to
import than most answers take to come.
"""

import socket
from collections.abc import Mapping
from typing import Any, BinaryIO

LARGEST_ANSWER = 64 * 1024 * 1024
_LONGEST_LINE = 64 * 1024
_MOST_LINES = 200  # of a head


class NotHttp(Exception):
    """What came back is no answer in HTTP, or not all of one."""


class Server:
    """`timeout`: seconds that it may be silent."""

    def __init__(self, host: str, port: int, *, tls: bool, timeout: float) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.timeout = timeout

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
        """The status and the body of the answer. Raises OSError or NotHttp."""
        with self._connected() as connection:
            connection.sendall(self._head(method, target, headers, body) + (body or b""))
            with connection.makefile("rb") as answer:
                return _read(answer)

    def _connected(self) -> socket.socket:
        address: tuple[Any, int] = (self._name, self.port)
        connection = socket.create_connection(address, self.timeout)
        if not self.tls:
            return connection
        try:
            return _secured(connection, self.host)
        except BaseException:
            connection.close()
            raise

    @property
    def _name(self) -> bytes:
        """As bytes, because a str goes through the tables of international names, plain ASCII or not."""
        try:
            return self.host.encode("ascii" if self.host.isascii() else "idna")
        except UnicodeError:
            raise NotHttp("no host can have that name") from None

    def _head(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        name = self._name.decode("ascii")
        host = f"[{name}]" if ":" in name else name
        usual = self.port == (443 if self.tls else 80)
        fields = {"Host": host if usual else f"{host}:{self.port}", "Accept-Encoding": "identity", **headers}
        if body is not None:
            fields["Content-Length"] = str(len(body))
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode("ascii")


def _secured(connection: socket.socket, host: str) -> socket.socket:
    import ssl

    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context.wrap_socket(connection, server_hostname=host)


def _read(answer: BinaryIO) -> tuple[int, bytes]:
    status, fields = _head(answer)
    while status < 200:  # only a word in between
        status, fields = _head(answer)
    if status in (204, 304):
        return status, b""
    if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
        return status, _chunks(answer)
    length = fields.get(b"content-length")
    return status, _to_the_end(answer) if length is None else _exactly(answer, _number(length, 10))


def _head(answer: BinaryIO) -> tuple[int, dict[bytes, bytes]]:
    """Status and fields, their names in lower case."""
    words = _line(answer).split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or len(words[1]) != 3 or not words[1].isdigit():
        raise NotHttp("what answers there does not speak HTTP")
    fields: dict[bytes, bytes] = {}
    for _ in range(_MOST_LINES):
        line = _line(answer).strip()
        if not line:
            return int(words[1]), fields
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip()
    raise NotHttp("the head of the answer has no end")


def _line(answer: BinaryIO) -> bytes:
    line = answer.readline(_LONGEST_LINE)
    if len(line) == _LONGEST_LINE:
        raise NotHttp("a line of the answer has no end")
    if not line.endswith(b"\n"):
        raise NotHttp("the connection was closed before the answer was there")
    return line


def _number(digits: bytes, base: int) -> int:
    try:
        number = int(digits, base)
    except ValueError:
        number = -1
    if number < 0:
        raise NotHttp("the answer does not say how long it is")
    return number


def _exactly(answer: BinaryIO, size: int) -> bytes:
    _check(size)
    body = answer.read(size)
    if len(body) < size:
        raise NotHttp("the connection was closed in the middle of the answer")
    return body


def _to_the_end(answer: BinaryIO) -> bytes:
    body = answer.read(LARGEST_ANSWER + 1)
    _check(len(body))
    return body


def _chunks(answer: BinaryIO) -> bytes:
    parts: list[bytes] = []
    total = 0
    while size := _number(_line(answer).partition(b";")[0].strip(), 16):
        total += size
        _check(total)
        parts.append(_exactly(answer, size))
        _line(answer)
    return b"".join(parts)


def _check(size: int) -> None:
    if size > LARGEST_ANSWER:
        raise NotHttp(f"the answer is larger than {LARGEST_ANSWER >> 20} MiB")
