"""How an exchange over HTTP can fail, in the words that a result uses."""

import httpx

from probes.errors import ProbesError
from probes.result import Reason


class TransportError(ProbesError, httpx.TransportError):
    """The target did not answer as HTTP asks. The text is what the result shows as seen.

    `phases` holds seconds by phase, as far as the exchange came, the failed phase included. `status` is the status
    code where the head of an answer had arrived before the failure.
    """

    permanent = False

    def __init__(
        self, reason: Reason, message: str, phases: dict[str, float] | None = None, status: int | None = None
    ) -> None:
        httpx.TransportError.__init__(self, message)
        self.reason = reason
        self.message = message
        self.phases = phases if phases is not None else {}
        self.status = status
