"""The shop of the benchmark: answers at once, over and over, in a process of its own whose cost nobody counts.

`python -m tests.bench.target [CERTIFICATE.pem]` prints its port and serves until its standard input is closed.
"""

import asyncio
import re
import ssl
import sys

from probes import lifeline

_LENGTH = re.compile(rb"content-length: (\d+)", re.I)
_PAGE = b"<html><head><title>Shop</title></head><body>" + b"<p>A thing to buy</p>" * 40 + b"</body></html>"
_PRODUCT = (
    b"<html><head><title>Green tea</title></head><body><h1>Green tea</h1><p class=price>9.90</p>"
    + b"<p>A thing to buy</p>" * 40
    + b"<form id=add method=post action=/cart/add><input type=hidden name=csrf value=t-4711-a>"
    b"<input type=hidden name=sku value=tea-1><input name=count value=1><button>Add</button></form></body></html>"
)
_CART = (
    b"<html><head><title>Cart</title></head><body><span id=count>1</span>" + b"<p>A line</p>" * 20 + b"</body></html>"
)
_QUOTE = b'{"total": 9.90, "currency": "EUR", "lines": [{"sku": "tea-1", "count": 1}], "id": "q-1"}'
_ORDER = b'{"status": "confirmed", "order": {"number": "100042"}, "lines": [{"sku": "tea-1"}]}'


def _answer(body: bytes, kind: str, more: bytes = b"") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n".encode()
    return head + more + b"\r\n" + body


_HTML, _JSON = "text/html; charset=utf-8", "application/json"
_SHOP = _answer(_PAGE, _HTML)
_ANSWERS = {
    b"/product": _answer(_PRODUCT, _HTML, b"Set-Cookie: session=s-0815-xyz; Path=/; HttpOnly\r\n"),
    b"/cart/add": _answer(_CART, _HTML),
    b"/api/quote": _answer(_QUOTE, _JSON),
    b"/api/orders": _answer(_ORDER, _JSON),
    b"/api/orders/100042": _answer(_ORDER, _JSON),
}


class Shop(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.came = b""

    def data_received(self, data: bytes) -> None:
        self.came += data
        while b"\r\n\r\n" in self.came:
            head, _, rest = self.came.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if length is not None:
                if len(rest) < int(length[1]):
                    return
                rest = rest[int(length[1]) :]
            self.came = rest
            self.transport.write(_ANSWERS.get(head.split(b" ", 2)[1], _SHOP))


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
