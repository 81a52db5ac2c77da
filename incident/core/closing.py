"""What must be so before an incident is closed, by whomever. Pure."""

from collections.abc import Sequence

from incident.core.model import Incident

PROBLEM = ("investigating", "identified")  # statuses that tell the public that something is broken


def speaks_against(incident: Incident, obstacles: Sequence[str], public: bool = False) -> list[str]:
    """What speaks against closing it: `obstacles` in the shop, and what the public was told last.

    `public`: the last word is being said to the public in the same breath.
    """
    against = list(obstacles)
    if not public and incident.said_publicly in PROBLEM:
        against.append(f"the last public update says {incident.said_publicly}: tell the public that it is over")
    return against
