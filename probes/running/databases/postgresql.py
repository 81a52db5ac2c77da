"""One query to PostgreSQL, in the event loop: nothing blocks, and a server that hangs is hung up on in time."""

import asyncio
import importlib
import os
import re
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from probes.http import TransportError
from probes.http.resolve import without_dns
from probes.language.kinds import Step
from probes.language.values import MISSING, to_number
from probes.result import Reason
from probes.running.failure import Failed
from probes.running.measured import Measured
from probes.running.run import Run
from probes.running.targets import check_allowed

if TYPE_CHECKING:
    import psycopg
    from psycopg import AsyncConnection

    Connection = AsyncConnection[tuple[Any, ...]]

_LAST_WORDS_S = 0.1  # for what was hung up on to end
_PORT = 5432
_SPARE_S = 0.1  # the server gives up so much before we do, and says so itself
_NOT_LET_IN = re.compile(  # at the door there is no code, only words
    "password authentication failed|no password supplied|no pg_hba.conf entry|role .* does not exist"
    "|permission denied for database|is not permitted to log in"
)
_LIMITS = (
    "SET TRANSACTION READ ONLY",
    "SET LOCAL TIME ZONE 'UTC'",
    "SET LOCAL lock_timeout = {milliseconds}",
    "SET LOCAL statement_timeout = {milliseconds}",
)


async def ask(step: Step, run: Run, url: str, statement: str, deadline: float) -> Measured:
    """Raises Failed and TransportError."""
    assert step.address is not None
    try:
        if "psycopg" not in sys.modules:  # loading it takes longer than any other journey should have to wait
            await asyncio.to_thread(importlib.import_module, "psycopg")
        import psycopg
    except ImportError:
        raise Failed(
            Reason.CONFIG, "the client library of PostgreSQL", "it is not installed: pip install 'shopwatch[postgres]'"
        ) from None
    url = _plain_url(url)
    run.command = ["psql", url, "-X", "-c", "SET default_transaction_read_only = on", "-c", statement]
    try:
        options = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error as error:
        raise Failed(Reason.CONFIG, "the URL of a database", str(error).strip()) from None
    asked = _Asked(run, options, statement, deadline)
    try:
        return await asked.within_the_time(step)
    except psycopg.Error as error:
        raise _failure(error, asked.connected) from None


def _plain_url(url: str) -> str:
    """SQLAlchemy's `postgresql+psycopg://` as libpq has it."""
    scheme, colon, rest = url.partition(":")
    return scheme.partition("+")[0] + colon + rest


class _Asked:
    """One connection and its one query."""

    def __init__(self, run: Run, options: Mapping[str, Any], statement: str, deadline: float) -> None:
        self._run, self._options, self._statement, self._deadline = run, dict(options), statement, deadline
        self._connection: Connection | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def connected(self) -> bool:
        return self._connection is not None

    async def within_the_time(self, step: Step) -> Measured:
        """Hangs up when time is up, or when the run is cancelled: the library itself would wait for a farewell."""
        await self._resolve(step)
        asking = asyncio.ensure_future(self._ask())
        try:
            done, _ = await asyncio.wait([asking], timeout=max(0.0, self._deadline - self._loop.time()))
        finally:
            if not asking.done():
                await self._give_up(asking)
        if not done:
            missing = "the query had no result" if self.connected else "no connection to the database"
            raise TransportError(Reason.TIMEOUT, f"{missing} in time")
        return asking.result()

    async def _resolve(self, step: Step) -> None:
        """Names are resolved by our own resolver: the library's would take a thread, and keep it while name servers
        are dead."""
        assert step.address is not None
        hosts = str(self._options.get("host") or "").split(",")
        if "hostaddr" in self._options or any(not host or host.startswith("/") for host in hosts):
            return
        ports = str(self._options.get("port") or _PORT).split(",")
        for host, port in zip(hosts, ports * len(hosts), strict=False):
            check_allowed(step.address, self._run, host, int(port or _PORT))
        started = self._loop.time()
        found: list[tuple[str, str]] = []
        try:
            async with asyncio.timeout_at(self._deadline):
                for host in hosts:
                    addresses = without_dns(host) or await self._run.context.resolver.resolve(host)
                    found += [(host, address) for address in (addresses if len(hosts) == 1 else addresses[:1])]
        except TimeoutError:
            raise TransportError(Reason.TIMEOUT, f"{host}: the name was not resolved in time") from None
        finally:
            self._run.session.spent["resolve"] = self._loop.time() - started
        self._options["host"] = ",".join(host for host, _ in found)
        self._options["hostaddr"] = ",".join(address for _, address in found)

    async def _ask(self) -> Measured:
        from psycopg import AsyncConnection

        started = self._loop.time()
        left = max(1, round(self._deadline - started))
        each = max(2, left // max(1, str(self._options.get("hostaddr", "")).count(",") + 1))  # of several addresses
        given = {"gssencmode": "disable", "application_name": "shopwatch", **self._options}
        try:
            self._connection = await AsyncConnection.connect(**{**given, "connect_timeout": each})
        finally:
            self._run.session.spent["connect"] = self._loop.time() - started
        asked_at = self._loop.time()
        try:
            return await self._query(self._connection)
        finally:
            self._run.session.spent["processing"] = self._loop.time() - asked_at
            if not self._connection.closed:
                self._connection.pgconn.finish()

    async def _query(self, connection: "Connection") -> Measured:
        """A cursor of the server's takes one select and nothing else, and hands over one row of however many."""
        milliseconds = max(1, round((self._deadline - self._loop.time() - _SPARE_S) * 1000))
        for limit in _LIMITS:
            await connection.execute(limit.format(milliseconds=milliseconds).encode())
        async with connection.cursor("shopwatch") as cursor:
            await cursor.execute(self._statement.strip().rstrip(";").encode())
            row = await cursor.fetchone()
        return Measured(MISSING if row is None else plain(row[0]))

    async def _give_up(self, asking: "asyncio.Future[Measured]") -> None:
        """Once it is connected, cancelling would make the library ask the server for leave, and wait for its answer:
        without a line it ends by itself."""
        if self._connection is not None:
            self._hang_up()
            await asyncio.wait([asking], timeout=_LAST_WORDS_S)
        asking.cancel()
        await asyncio.wait([asking], timeout=_LAST_WORDS_S)
        if asking.done() and not asking.cancelled():
            asking.exception()  # is known: it was hung up on

    def _hang_up(self) -> None:
        if self._connection is None or self._connection.closed:
            return
        with suppress(OSError):
            copy = socket.socket(fileno=os.dup(self._connection.pgconn.socket))
            with copy:
                copy.shutdown(socket.SHUT_RDWR)


def plain(value: Any) -> Any:
    """As JSON would have it: instants in ISO 8601, times of day and lengths of time as text and seconds."""
    if value is None or isinstance(value, str | bool | int | dict | list):
        return value
    if isinstance(value, float | Decimal):
        number = to_number(value)
        return str(value) if number is None else number
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return Decimal(str(value.total_seconds()))
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else str(value)


def _failure(error: "psycopg.Error", connected: bool) -> Exception:
    text = " ".join(str(error).split())[:2000] or type(error).__name__
    state = error.sqlstate or ""
    if state in ("57014", "55P03"):
        return TransportError(Reason.TIMEOUT, text)
    if state.startswith("28") or _NOT_LET_IN.search(text):
        return Failed(Reason.AUTH, "a role that may ask this database", text)
    if not connected:
        lower = text.lower()
        if "timeout expired" in lower:
            return TransportError(Reason.TIMEOUT, text)
        tls = "ssl" in lower or "certificate" in lower
        return TransportError(Reason.TLS if tls else Reason.CONNECT, text)
    if state == "42501":
        return Failed(Reason.AUTH, "a role that may read this", text)
    if state[:2] in ("08", "57", "53", "") or state == "XX000":
        return TransportError(Reason.CONNECT, text)
    return Failed(Reason.CONFIG, "one query that the database understands, and that only reads", text)
