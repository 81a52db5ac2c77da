"""`tls`: a handshake with a port, and the certificate that it shows."""

from typing import TYPE_CHECKING

from probes.language.checks import Address
from probes.language.keys import Keys
from probes.language.kinds.base import READING_KEYS, Kind

if TYPE_CHECKING:
    from probes.language.kinds import Step


class TlsKeys(Keys):
    """`tls` is `host:port`. The name and the chain of the certificate are checked as for https."""

    tls: Address | None = None


def name_of(step: "Step") -> str:
    assert step.tls is not None
    return f"tls {step.tls.source}"


KIND = Kind(
    "tls",
    ("tls",),
    READING_KEYS,
    frozenset({"value", "expires_in", "protocol", "slower_than"}),
    name_of=name_of,
    saves=frozenset({"value"}),
)
