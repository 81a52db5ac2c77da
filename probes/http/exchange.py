"""What one request and its answer cost, phase by phase, and whom it talked to."""

from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic


@dataclass(slots=True)
class Exchange:
    """`phases` holds seconds by name of `probes.result.PHASES`, in the order in which they were entered.

    A phase that was not reached is absent: a reused connection has neither resolve, connect nor tls. `transfer` is
    filled in when the last byte of the body has come. `peer` is `address:port`, an IPv6 address in brackets.
    `certificate_expires` (UTC) is that of the server's own certificate, None without TLS.
    """

    deadline: float  # of the loop's clock
    started: float = field(default_factory=monotonic)
    phases: dict[str, float] = field(default_factory=dict)
    peer: str | None = None
    certificate_expires: datetime | None = None
    http_version: str = "HTTP/1.1"
    reused: bool = False
    phase: str | None = None
    _since: float = 0.0

    def enter(self, phase: str) -> None:
        """Ends the phase before, if one is open, and starts this one at the same instant."""
        now = monotonic()
        if self.phase is not None:
            self.phases[self.phase] = now - self._since
        self.phase, self._since = phase, now

    def stop(self) -> None:
        """Ends the open phase, if there is one."""
        if self.phase is not None:
            self.phases[self.phase] = monotonic() - self._since
            self.phase = None

    @property
    def allowance(self) -> str:
        """How long the whole exchange may take, for the message about its being over."""
        seconds = max(0.0, self.deadline - self.started)
        return f"{round(seconds, 1 if seconds > 1 else 2):g} s"
