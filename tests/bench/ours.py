"""Our side of the benchmark: a prober process that does nothing but probe.

`python -m tests.bench.ours ENTRY URL COUNT AT_ONCE [CA.pem]` prints the CPU seconds (user and system, of this whole
process) that COUNT probes took after a warm-up of a tenth of them.
"""

import asyncio
import atexit
import resource
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from probes.prober.process import spare_the_collector

Probe = Callable[[], Awaitable[None]]


def transport(url: str, ca: Path | None) -> Probe:
    """One transport per probe, a request of httpx's sent over it as a journey's session does, the body read."""
    import httpx

    from probes.http import SystemResolver, TlsOptions, Transport, context_for

    options = TlsOptions(ca=ca)
    resolver = SystemResolver()

    async def probe() -> None:
        deadline = asyncio.get_running_loop().time() + 10
        request = httpx.Request("GET", url, headers={"User-Agent": "shopwatch"}, extensions={"deadline": deadline})
        async with Transport(resolver=resolver, ssl_context_for=lambda host: context_for(options)) as own:
            answer = await own.handle_async_request(request)
            assert answer.status_code == 200 and await answer.aread()

    return probe


ONE_STEP = "  - get: /\n    expect: {status: 200}\n"
FIVE_STEPS = """\
  - get: /product
    expect: {status: 200, html: {h1: Green tea}}
    save: {price: {html: .price}}
  - submit: "#add"
    fields: {count: 1}
    expect: {html: {"#count": "1"}}
  - post: /api/quote
    json: {sku: tea-1, count: 1}
    expect: {status: 200, json: {$.total: "{{ price | number }}", "$.lines[0].sku": tea-1}}
    save: {quote: {json: $.id}}
  - post: /api/orders
    json: {quote: "{{ quote }}"}
    expect: {json: {$.status: confirmed}}
    save: {order: {json: $.order.number}}
  - get: "/api/orders/{{ order }}"
    expect: {status: 200, json: {$.status: {in: [confirmed, paid]}}}
"""


def journey(url: str, ca: Path | None, steps: str = ONE_STEP) -> Probe:
    """A whole run of a journey, with all of its bookkeeping, as the prober does it."""
    from probes.files.loading import load_file
    from probes.files.mistakes import Mistake
    from probes.files.secrets import Environment
    from probes.result import Outcome
    from probes.running.context import RunContext
    from probes.running.runner import run_journey

    folder = Path(tempfile.mkdtemp(prefix="shopwatch-bench-"))
    atexit.register(shutil.rmtree, folder)
    (folder / "shop.yaml").write_text(
        f"journey: shop\nservice: shop\nevery: 30s\nbase: {url}\n"
        + (f"tls: {{ca: {ca}}}\n" if url.startswith("https") else "")
        + "steps:\n"
        + steps
    )
    mistakes: list[Mistake] = []
    journeys = load_file(folder / "shop.yaml", Environment({}), mistakes)
    assert journeys, mistakes
    context = RunContext(folder / "state")

    async def probe() -> None:
        result = await run_journey(journeys[0], context)
        assert result.outcome is Outcome.UP, result.failed

    return probe


ENTRIES: dict[str, Callable[[str, Path | None], Probe]] = {
    "transport": transport,
    "journey": journey,
    "five": partial(journey, steps=FIVE_STEPS),
}


async def run(probe: Probe, count: int, at_once: int) -> None:
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            await probe()

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())


def used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def main(entry: str, url: str, count: int, at_once: int, ca: Path | None) -> None:
    probe = ENTRIES[entry](url, ca)
    await run(probe, count // 10, at_once)
    spare_the_collector()  # as the prober does
    before = used()
    await run(probe, count, at_once)
    print(used() - before, flush=True)


if __name__ == "__main__":
    asyncio.run(
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]) if sys.argv[5:] else None)
    )
