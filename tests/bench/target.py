"""The shop of the benchmark: answers at once, over and over, in a process of its own whose cost nobody counts.

`python -m tests.bench.target [CERTIFICATE.pem]` prints its port and serves until its standard input is closed.
"""

import asyncio
import ssl
import sys

from probes import lifeline

_PAGE = b"<html><head><title>Shop</title></head><body>" + b"<p>A thing to buy</p>" * 40 + b"</body></html>"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b" % (
    len(_PAGE),
    _PAGE,
)


class Shop(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.came = b""

    def data_received(self, data: bytes) -> None:
        self.came += data
        while b"\r\n\r\n" in self.came:
            _, _, self.came = self.came.partition(b"\r\n\r\n")
            self.transport.write(_ANSWER)


async def serve(certificate: str | None) -> None:
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(Shop, "127.0.0.1", 0, ssl=context, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    lifeline.watch()
    asyncio.run(serve(sys.argv[1] if len(sys.argv) > 1 else None))
