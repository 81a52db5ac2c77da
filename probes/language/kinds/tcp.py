"""`tcp`: a connection to a port; what it is sent, and what it says."""

from typing import TYPE_CHECKING

from probes.files.mistakes import Wrong
from probes.language.checks import Address
from probes.language.keys import Keys
from probes.language.kinds.base import READING_KEYS, Kind
from probes.language.templates import TemplateField

if TYPE_CHECKING:
    from probes.language.kinds import Step


class TcpKeys(Keys):
    """`tcp` is `host:port`; `send` is a text that is sent first, as it is written."""

    tcp: Address | None = None
    send: TemplateField | None = None


def name_of(step: "Step") -> str:
    assert step.tcp is not None
    return f"tcp {step.tcp.source}"


def check(step: "Step") -> None:
    """Raises ValueError where something is to be taken out of an answer that nobody waits for."""
    waits = any(expect is not None and expect.body is not None for expect in (step.expect, step.until))
    if step.save and not waits:
        raise Wrong("save needs what the server says: expect a body", 'expect: {body: {contains: "220 "}}', ("save",))


KIND = Kind(
    "tcp",
    ("tcp",),
    READING_KEYS | {"send"},
    frozenset({"body", "slower_than"}),
    name_of=name_of,
    saves=frozenset({"regex"}),
    check=check,
)
