"""The peer: Debian's prometheus-blackbox-exporter, asked over its /probe address by a client in our process."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PROGRAM = "prometheus-blackbox-exporter"

_CHUNK_MARK = re.compile(rb"\r\n[0-9a-f]+\r\n")

_CONFIG = """\
modules:
  plain: {{prober: http, timeout: 10s, http: {{preferred_ip_protocol: ip4}}}}
  tls: {{prober: http, timeout: 10s, http: {{preferred_ip_protocol: ip4, tls_config: {{ca_file: {ca}}}}}}}
"""


def installed() -> bool:
    return shutil.which(PROGRAM) is not None


@dataclass(frozen=True)
class Peer:
    process: int
    port: int

    def cpu_seconds(self, module: str, url: str, count: int, at_once: int) -> float:
        """User and system time of its whole process for `count` probes, after a warm-up of a tenth of them."""
        asyncio.run(self._ask(module, url, count // 10, at_once))
        before = used(self.process)
        asyncio.run(self._ask(module, url, count, at_once))
        return used(self.process) - before

    def paced(self, module: str, url: str, per_second: float, seconds: float) -> tuple[float, float]:
        """Its share of a core and its resident memory (MB), over so many seconds of so many probes."""
        before, began = used(self.process), time.monotonic()
        while time.monotonic() < began + seconds:
            turn = time.monotonic()
            asyncio.run(self._ask(module, url, round(per_second / 2), 10))
            time.sleep(max(0.0, turn + 0.5 - time.monotonic()))
        share = (used(self.process) - before) / (time.monotonic() - began)
        pages = int(Path(f"/proc/{self.process}/statm").read_text().split()[1])
        return share, pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    async def _ask(self, module: str, url: str, count: int, at_once: int) -> None:
        left = iter(range(count))
        request = f"GET /probe?module={module}&target={quote(url, safe='')} HTTP/1.1\r\nHost: peer\r\n\r\n".encode()

        async def work() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            for _ in left:
                writer.write(request)
                answer = await reader.readuntil(b"\r\n0\r\n\r\n")  # it always answers in chunks
                if b"\nprobe_success 1" not in _CHUNK_MARK.sub(b"", answer):
                    raise RuntimeError(f"the peer could not probe {url}")
            writer.close()
            await writer.wait_closed()

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())


def used(process: int) -> float:
    """CPU seconds of a process, user and system, all its threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(folder: Path, ca: Path) -> Iterator[Peer]:
    config = folder / "blackbox.yml"
    config.write_text(_CONFIG.format(ca=ca))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [PROGRAM, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
        env={**os.environ, "GOMAXPROCS": "1"},
    )
    try:
        _wait_until_ready(port, process)
        yield Peer(process.pid, port)
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        if process.poll() is not None:
            raise RuntimeError(f"{PROGRAM} ended with exit code {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise RuntimeError(f"{PROGRAM} does not listen on port {port}")
