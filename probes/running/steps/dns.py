"""`dns`: asks the machine's name servers for a name."""

import asyncio
from typing import Any

from probes.http import TransportError
from probes.http.resolve import SystemResolver
from probes.language.kinds import Step
from probes.result import Reason
from probes.running.failure import Failed
from probes.running.measured import Measured
from probes.running.run import Run

_TEXT = ("TXT", "CAA")


async def perform(step: Step, run: Run, deadline: float) -> Measured:
    """`value` is the first answer; `body` is all of them, one a line."""
    assert step.dns is not None
    name = run.text(step.dns).strip().rstrip(".")
    if not name or len(name) > 253 or any(sign in name for sign in "/: \t\n"):
        raise Failed(Reason.CONFIG, "a name", f"{name[:300]!r}")
    run.command = ["dig", "+short", name, *([step.record] if step.record else [])]
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        async with asyncio.timeout_at(deadline):
            answers = await _ask(run, name, step.record)
    except TimeoutError:
        raise TransportError(Reason.TIMEOUT, f"{name}: no name server answered in time") from None
    finally:
        run.session.spent["resolve"] = loop.time() - started
    return Measured(answers[0], len(answers), "\n".join(answers))


async def _ask(run: Run, name: str, record: str | None) -> list[str]:
    """Raises TransportError (dns) where there is no answer."""
    if record is None:
        return list(await run.context.resolver.resolve(name))
    resolver = run.context.resolver
    if not isinstance(resolver, SystemResolver):
        raise Failed(Reason.PROBER, "a resolver that knows record types", type(resolver).__name__)
    found = sorted(text(record, data) for data in await resolver.query(name, record))
    if not found:
        raise TransportError(Reason.DNS, f"{name} has no {record} record")
    return found


def text(record: str, data: Any) -> str:
    """An answer as a zone file writes it, names without the last dot."""
    if record in ("A", "AAAA"):
        return str(data.addr)
    if record == "CNAME":
        return _name(data.cname)
    if record == "NS":
        return _name(data.nsdname)
    if record == "PTR":
        return _name(data.dname)
    if record == "MX":
        return f"{data.priority} {_name(data.exchange)}"
    if record == "SRV":
        return f"{data.priority} {data.weight} {data.port} {_name(data.target)}"
    if record == "SOA":
        return f"{_name(data.mname)} {_name(data.rname)} {data.serial}"
    if record == "TXT":
        return _text(data.data)
    return f"{data.critical} {_text(data.tag)} {_text(data.value)}"


def _name(name: Any) -> str:
    return _text(name).rstrip(".").lower()


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
