"""What the runs of one process share: leases, ledger, secrets, name resolution, TLS contexts, the clock."""

import asyncio
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from probes.files.secrets import Environment
from probes.files.settings import Mutates
from probes.http import ProxyTransport, SystemResolver, TlsOptions, Transport, context_for, parse_proxy
from probes.http.resolve import Resolver
from probes.language.journey import Journey, TlsSettings
from probes.running.accounts import AccountPool
from probes.running.claims import Claims
from probes.running.ledger import Ledger
from probes.running.reading.readers import Readers

SQLITE_AT_ONCE = 8  # processes; a query that waits for its turn waits within its own time
RUN_KEY = "${SHOPWATCH_RUN_KEY:-}"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class RunContext:
    """Made once per event loop; `aclose` at its end. `state` is the workspace's `.shopwatch`.

    `environment` knows the secrets that the files brought in.
    """

    state: Path
    environment: Environment = field(default_factory=lambda: Environment({}))
    now: Callable[[], datetime] = utc_now
    resolver: Resolver = field(default_factory=SystemResolver)
    accounts: AccountPool = field(init=False)
    ledger: Ledger = field(init=False)
    claims: Claims = field(init=False)
    run_key: str = field(init=False)
    readers: Readers = field(init=False)
    mutates: Mutates = "order"  # no run goes deeper
    measures: Mapping[str, Collection[str]] = field(default_factory=dict)  # by journey: saved values that results tell
    sqlite_turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SQLITE_AT_ONCE))

    def __post_init__(self) -> None:
        self.accounts = AccountPool(self.state / "accounts")
        self.ledger = Ledger(self.state / "ledger.jsonl")
        self.claims = Claims(self.state / "claims")
        self.readers = Readers()
        self.use(self.environment)

    def use(self, environment: Environment) -> None:
        """Another environment, after a reload; accounts, ledger and resolver stay."""
        self.environment = environment
        self.run_key = str(environment.resolve(RUN_KEY))

    def transport(self, journey: Journey) -> Transport:
        if journey.proxy is not None:
            proxy = parse_proxy(journey.proxy)
            return ProxyTransport(proxy, resolver=self.resolver, ssl_context_for=partial(_context, journey))
        if journey.tls is None:
            return Transport(resolver=self.resolver)
        return Transport(resolver=self.resolver, ssl_context_for=partial(_context, journey))

    async def aclose(self) -> None:
        self.readers.close()
        await self.resolver.aclose()


def _context(journey: Journey, host: str) -> ssl.SSLContext:
    """The journey's own TLS settings, for whichever host. Raises TransportError (config) for bad files."""
    if journey.tls is None:
        return context_for()
    return context_for(tls_options(journey.tls, journey.file.parent))


def tls_options(settings: TlsSettings, folder: Path) -> TlsOptions:
    """Paths are relative to the folder of the journey's file."""

    def path(name: str | None) -> Path | None:
        return None if name is None else folder / name

    return TlsOptions(path(settings.ca), path(settings.cert), path(settings.key), settings.verify)
