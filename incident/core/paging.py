"""Alerts that ask for no page: the label `page="no"`. Pure.

They are tickets, and so is an incident that they open: people are told of it and not paged, and what asks for a page
has nothing to do with it. An outage is paged for as if they were not there.
"""

from collections.abc import Mapping

LABEL, NO = "page", "no"


def wants_none(labels: Mapping[str, str]) -> bool:
    """Whether an alert with these labels asks for no page."""
    return labels.get(LABEL, "").strip().lower() == NO


def aloud(labels: Mapping[str, str]) -> dict[str, str]:
    """What routes see of what does ask for a page."""
    return {name: value for name, value in labels.items() if name != LABEL or not wants_none(labels)}
