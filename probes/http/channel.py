"""One connection: bytes out and bytes in, over TCP or TLS.

On plain sockets and the loop's readers and writers rather than asyncio's transports: closing is done when `close`
returns, so that nothing is left over when a run is cancelled, and a probe that makes one request per connection pays
for no more than it uses.
"""

import asyncio
import socket
import ssl
from datetime import datetime
from time import monotonic
from typing import Protocol

from probes.http import certificate, tls
from probes.http.errors import TransportError
from probes.http.secure import Tls
from probes.result import Reason

_READ = 65_536
_LEAST_READ = 2048
_SLOW = 0.001  # seconds: who takes longer over one piece, such as one of ten thousand chunks, gets smaller pieces


class Receiver(Protocol):
    """Who reads a channel. `received` says whether it wants more: if not, the channel closes, without a word. After
    `ended` nothing more comes; None means that the peer closed in good order."""

    def received(self, data: bytes) -> bool: ...

    def ended(self, error: OSError | None) -> None: ...


class Channel:
    """Owns a connected, non-blocking socket. Without a receiver, anything that comes closes it. `peer` is for the
    record: `address:port`."""

    def __init__(self, opened: socket.socket, peer: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = opened
        self._descriptor = opened.fileno()  # the loop's selector is slow to look up a socket that it does not hold
        self._tls: Tls | None = None
        self._handshake: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._read = _READ
        self._unsent = bytearray()  # while it holds anything, the loop watches for room to write
        self.receiver: Receiver | None = None
        self.closed = False
        self.certificate_expires: datetime | None = None
        self.peer = peer
        self._loop.add_reader(self._descriptor, self._on_readable)

    async def secure(self, context: ssl.SSLContext, host: str) -> None:
        """The TLS handshake. Raises TransportError (tls)."""
        try:
            self._tls = Tls(context, host.rstrip("."))
            self._tls.handshake()
        except (ssl.SSLError, ValueError) as error:  # ValueError: no name that a certificate could carry
            raise TransportError(Reason.TLS, f"{host}: {error}") from error
        self._handshake = self._loop.create_future()
        self._send(self._tls.outgoing())
        try:
            await self._handshake
        except ssl.SSLError as error:
            raise TransportError(Reason.TLS, f"{host}: {tls.explain(error)}") from error
        except OSError as error:
            raise TransportError(Reason.TLS, f"{host}: in the handshake, {error.strerror or error}") from error
        finally:
            self._handshake = None
        der = self._tls.certificate()
        self.certificate_expires = certificate.expiry(der) if der else None

    def write(self, data: bytes) -> None:
        """Sends now what the socket takes, and the rest as it becomes free. What a dead peer does not take is dropped:
        the reader learns of it."""
        if self.closed:
            return
        try:
            self._send(data if self._tls is None else self._tls.encrypt(data))
        except ssl.SSLError as error:
            self._end(error)

    async def drain(self) -> None:
        """Returns when everything written has left, or the channel is over."""
        if self._unsent and not self.closed:
            self._drained = self._loop.create_future()
            await self._drained

    @property
    def protocol(self) -> str | None:
        """Of the TLS session: `TLSv1.3`, …; None without one."""
        return None if self._tls is None else self._tls.protocol()

    @property
    def sent(self) -> bool:
        return not self._unsent

    def still_usable(self) -> bool:
        """Of an idle channel: looks whether the peer has closed it in the meantime."""
        if not self.closed:
            self._on_readable()
        return not self.closed

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._descriptor)
        if self._unsent:
            self._stop_writing()
        self._socket.close()

    def _send(self, data: bytes) -> None:
        if self._unsent:
            self._unsent += data
            return
        try:
            count = self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            count = 0
        except OSError:
            return  # reading tells what happened, and may still find an answer that was sent before
        if count < len(data):
            self._unsent += memoryview(data)[count:]
            self._loop.add_writer(self._descriptor, self._on_writable)

    def _on_writable(self) -> None:
        try:
            del self._unsent[: self._socket.send(self._unsent)]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._stop_writing()
            return
        if not self._unsent:
            self._stop_writing()

    def _stop_writing(self) -> None:
        self._unsent.clear()
        self._loop.remove_writer(self._descriptor)
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(self._read)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(error)
            return
        if self._handshake is not None:
            self._continue_handshake(data)
        elif not data:
            self._end(None)
        elif self._tls is None:
            self._deliver(data)
        else:
            self._deliver_decrypted(data)

    def _continue_handshake(self, data: bytes) -> None:
        assert self._tls is not None and self._handshake is not None
        if self._handshake.done():
            return  # cancelled: close follows
        try:
            if not data:
                raise ConnectionError("the server closed the connection")
            over = self._tls.handshake(data)
        except OSError as error:  # ssl.SSLError is one
            self._send(self._tls.outgoing())  # the alert that tells the server why
            self._end(error)
            return
        if out := self._tls.outgoing():
            self._send(out)
        if over:
            self._handshake.set_result(None)

    def _deliver(self, data: bytes) -> None:
        started = monotonic()
        if self.receiver is None or not self.receiver.received(data):
            self.close()
        elif len(data) > _LEAST_READ and monotonic() - started > _SLOW:
            self._read = max(_LEAST_READ, self._read // 4)

    def _deliver_decrypted(self, data: bytes) -> None:
        assert self._tls is not None
        try:
            plain, over = self._tls.decrypt(data)
        except ssl.SSLError as error:
            self._end(error)
            return
        if plain:
            self._deliver(plain)
        if over and not self.closed:
            self._end(None)

    def _end(self, error: OSError | None) -> None:
        self.close()
        if self._handshake is not None:
            if not self._handshake.done():
                self._handshake.set_exception(error or ConnectionError("the server closed the connection"))
        elif self.receiver is not None:
            self.receiver.ended(error)
