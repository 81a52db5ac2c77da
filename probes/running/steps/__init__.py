"""How each kind of step is performed. A new kind is one file here and one line in PERFORM."""

from collections.abc import Awaitable, Callable, Mapping

from probes.language.kinds import Step
from probes.running.answer import Answer
from probes.running.measured import Measured
from probes.running.run import Run
from probes.running.steps import check, dns, http, promql, sql, submit, tcp, tls

Perform = Callable[[Step, Run, float], Awaitable[Answer | Measured | None]]
"""Takes the step, its run and its deadline (loop.time()); raises Failed, TransportError or another ProbesError.

The answer is what expectations, `until` and `save` look at; None where there is nothing to look at.
"""

PERFORM: Mapping[str, Perform] = {
    "http": http.perform,
    "submit": submit.perform,
    "check": check.perform,
    "tcp": tcp.perform,
    "tls": tls.perform,
    "dns": dns.perform,
    "sql": sql.perform,
    "promql": promql.perform,
}
