"""What must be so before an incident is closed, by whomever. Pure."""

from collections.abc import Sequence

from incident.core.model import Incident

PROBLEM = ("investigating", "identified")  # statuses that tell the public that something is broken


def speaks_against(incident: Incident, obstacles: Sequence[str], public: bool = False) -> list[str]:
    """What speaks against closing it: `obstacles` in the shop, and what the public was told last.

    `public`: the last word is being said to the public in the same breath.
    """
    against = list(obstacles)
    if public:
        return against
    if incident.said_publicly in PROBLEM:
        against.append(f"the last public update says {incident.said_publicly}: tell the public that it is over")
    for number, status in told_by_others(incident).items():
        against.append(f"the last public update of #{number}, which went on in this, says {status}: tell the public")
    return against


def told_by_others(incident: Incident) -> dict[str, str]:
    """What incidents that went on in this one told the public, where that is a problem and was not taken up since."""
    said = {number: brought.get("said_publicly") for number, brought in incident.taken_in.items()}
    return {number: status for number, status in said.items() if status in PROBLEM}
