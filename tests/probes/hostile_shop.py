"""A shop that is made to be slow to read, in a process of its own: `python -m tests.probes.hostile_shop`.

Prints its port and serves until its standard input is closed. PAGES says what is at which path.
"""

import asyncio
import gzip
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from probes import lifeline

HTML, JSON, TEXT = "text/html", "application/json", "text/plain"
MOST = 2 << 20  # bytes of a body


def _fill(piece: str, head: str = "", most: int = MOST - 1000) -> bytes:
    return (head + piece * ((most - len(head)) // len(piece))).encode()


_TAIL = gzip.compress(_fill("<b>"))
PAGES: dict[str, tuple[str, bytes, str]] = {
    "/ok": (HTML, b"<title>Shop</title><p>fine</p>", ""),
    "/large": (HTML, _fill("<p class=item>A thing to <b>buy</b></p>", "<title>Shop</title>", 400_000), ""),
    "/deep": (HTML, _fill("<div>"), ""),
    "/deep-under-the-bound": (HTML, _fill("<div>", most=120_000), ""),
    "/formatting": (HTML, _fill("<p><b><i><font color=x>"), ""),
    "/attributes": (HTML, b"<p " + b" ".join(b"a%d" % n for n in range(250_000)) + b">", ""),
    "/foreign": (HTML, _fill("<svg><foreignObject><div>", most=400_000), ""),
    "/foreign-self-closed": (HTML, _fill("<svg><foreignObject/><p/><b/>", most=400_000), ""),
    "/foreign-tables": (HTML, _fill("<math><annotation-xml encoding=text/html><table><td>", most=250_000), ""),
    "/flat": (HTML, _fill("<i></i>", "<main>", 200_000), ""),
    "/fields": (HTML, _fill("<input name=a>", "<form id=f action=/ok>", 130_000), ""),
    "/arrays": (JSON, b"[" * 1_000_000 + b"]" * 1_000_000, ""),
    "/objects": (JSON, b"[" + b",".join(b'{"a":[1.5,2.5]}' for _ in range(120_000)) + b"]", ""),
    "/nested": (JSON, b"[" + b",".join(b"[" * 150 + b"]" * 150 for _ in range(6_000)) + b"]", ""),
    "/numbers": (JSON, b"[" + b",".join(b"1e%d" % (n % 300) for n in range(350_000)) + b"]", ""),
    "/text": (TEXT, _fill("a"), ""),
    "/bomb": (HTML, gzip.compress(b"\0" * (64 << 20)), "gzip"),
    "/members": (TEXT, gzip.compress(b"") * 100_000, "gzip"),
    "/layers": (TEXT, gzip.compress(gzip.compress(gzip.compress(_fill("ab")))), "gzip, gzip, gzip"),
    "/packed-deep": (HTML, _TAIL, "gzip"),
}


def _cookies() -> bytes:
    return b"".join(b"Set-Cookie: session%d=%s\r\n" % (n, b"s%d" % n * 60) for n in range(190))


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split(b" ")[1].decode()
            if path == "/chunks":
                await _in_tiny_chunks(writer)
                continue
            kind, body, coding = PAGES.get(path, (HTML, b"<p>Sorry", ""))
            lines = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            lines += f"Content-Encoding: {coding}\r\n" if coding else ""
            writer.write(lines.encode() + (_cookies() if path == "/cookies" else b"") + b"\r\n" + body)
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        return
    finally:
        writer.close()


async def _in_tiny_chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(200):
        writer.write(b"1\r\nx\r\n" * 10_000)
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def _main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def hostile_shop() -> Iterator[str]:
    """Its address."""
    command = [sys.executable, "-m", "tests.probes.hostile_shop"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


if __name__ == "__main__":
    lifeline.watch()
    asyncio.run(_main())
