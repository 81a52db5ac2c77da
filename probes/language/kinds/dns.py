"""`dns`: what the name servers say of a name."""

from typing import TYPE_CHECKING, Literal

from probes.files.mistakes import Wrong
from probes.language.keys import Keys
from probes.language.kinds.base import READING_KEYS, Kind
from probes.language.templates import TemplateField

if TYPE_CHECKING:
    from probes.language.kinds import Step

Record = Literal["A", "AAAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT", "PTR", "CAA"]


class DnsKeys(Keys):
    """`record` None: the addresses, IPv4 and IPv6, as a connection to the name would use them."""

    dns: TemplateField | None = None
    record: Record | None = None


def name_of(step: "Step") -> str:
    assert step.dns is not None
    return f"dns {step.dns.source}" + (f" {step.record}" if step.record else "")


def check(step: "Step") -> None:
    """Raises ValueError where an address stands for a name."""
    assert step.dns is not None
    source = step.dns.source.strip()
    if step.dns.constant and (not source or any(sign in source for sign in "/: ")):
        raise Wrong(f"{source!r} is not a name: write it alone, such as shop.example", at=("dns",))


KIND = Kind(
    "dns",
    ("dns",),
    READING_KEYS | {"record"},
    frozenset({"value", "body", "slower_than"}),
    name_of=name_of,
    saves=frozenset({"value", "regex"}),
    check=check,
)
