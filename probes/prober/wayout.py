"""The prober's own way out: do the reference targets of shopwatch.yaml answer? Any answer will do.

Nothing is reused between two checks, neither a connection nor an answer of the name server: both would look well for
minutes after the network is gone.
"""

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx

from probes.http import SystemResolver, Transport
from probes.http.connect import open_socket

PATIENCE = 3.0  # seconds


async def closed_way(references: Sequence[str], patience: float = PATIENCE) -> str | None:
    """None as soon as one of them answers; otherwise, of all of them, what came instead. There is at least one."""
    attempts = [asyncio.create_task(_trouble(reference, patience), name=reference) for reference in references]
    troubles: dict[str, str] = {}
    try:
        for attempt in asyncio.as_completed(attempts):
            reference, trouble = await attempt
            if trouble is None:
                return None
            troubles[reference] = trouble
    finally:
        for task in attempts:
            task.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
    return "; ".join(f"{reference}: {troubles[reference]}" for reference in references)


async def _trouble(reference: str, patience: float) -> tuple[str, str | None]:
    resolver = SystemResolver()
    try:
        async with asyncio.timeout(patience):
            await _reach(reference, resolver, patience)
    except TimeoutError:
        return reference, f"no answer within {patience:g} s"
    except (httpx.HTTPError, OSError) as error:  # TransportError is one of the first
        return reference, str(error) or type(error).__name__
    finally:
        await resolver.aclose()
    return reference, None


async def _reach(reference: str, resolver: SystemResolver, patience: float) -> None:
    scheme, _, rest = reference.partition(":")
    if scheme == "dns":
        await resolver.resolve(rest)
    elif scheme == "tcp":
        url = urlsplit(reference)
        host, port = url.hostname or "", url.port or 0
        opened, _ = await open_socket(host, await resolver.resolve(host), port)
        opened.close()
    else:
        deadline = {"deadline": asyncio.get_running_loop().time() + patience}
        async with (
            httpx.AsyncClient(transport=Transport(resolver=resolver), trust_env=False) as client,
            client.stream("HEAD", reference, extensions=deadline),
        ):
            return
