"""TLS over memory: bytes in, bytes out, no socket. What a Channel puts between its socket and its reader."""

import ssl

_READ = 65_536


class Tls:
    """One TLS session. Whoever holds it sends what `outgoing` has after each call.

    Every method may raise ssl.SSLError.
    """

    __slots__ = ("_incoming", "_outgoing", "_session")

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def outgoing(self) -> bytes:
        return self._outgoing.read() if self._outgoing.pending else b""

    def handshake(self, data: bytes = b"") -> bool:
        """Takes what came, and says whether the handshake is over."""
        if data:
            self._incoming.write(data)
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def encrypt(self, data: bytes) -> bytes:
        self._session.write(data)
        return self._outgoing.read()

    def decrypt(self, data: bytes) -> tuple[bytes, bool]:
        """The plain bytes, and whether the peer has ended the session."""
        self._incoming.write(data)
        plain = b""
        try:
            while piece := self._session.read(_READ):
                plain = plain + piece if plain else piece
        except ssl.SSLWantReadError:
            return plain, False
        except ssl.SSLZeroReturnError:
            pass
        return plain, True

    def certificate(self) -> bytes | None:
        """The server's certificate, DER."""
        return self._session.getpeercert(binary_form=True)

    def protocol(self) -> str | None:
        """`TLSv1.3`, …; None before the handshake."""
        return self._session.version()
