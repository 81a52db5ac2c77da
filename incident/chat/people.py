"""Who is speaking: Slack's member ids, mapped to the people of shopwatch.yaml."""

from incident.core.actor import Actor, Kind, Role
from incident.errors import NotAllowed
from incident.settings import Settings


def actor_of(settings: Settings, member: str) -> Actor:
    """The person whose `slack` is this member's id. Names are never trusted: they can be taken by others.

    Raises NotAllowed for somebody whom shopwatch.yaml does not know.
    """
    for key, person in settings.people.items():
        if person.slack is not None and person.slack == member:
            return Actor(key, Role.parse(person.role), Kind.PERSON, "slack")
    raise NotAllowed(f"Shopwatch does not know you: add `slack: {member}` to a person in shopwatch.yaml")
