"""In a storm, services that need the same are taken to suffer from the same before that is heard of. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from incident.core.alerts import StoredAlert, labels_of
from incident.core.folding import Draft
from incident.core.merging import whither
from incident.core.model import Incident
from incident.core.services import ServiceMap

_TOGETHER = timedelta(minutes=5)  # what begins within that may have begun together


@dataclass
class Suspicion:
    """What one round suspects. `joined`: by incident and service, who has joined on suspicion, and what both need."""

    draft: Draft
    services: ServiceMap
    route: Callable[[Mapping[str, str]], tuple[str, ...]]
    joined: dict[int, dict[str, tuple[StoredAlert, str]]] = field(default_factory=dict)

    def find(self, alert: StoredAlert, goes_on: Iterable[Incident]) -> Incident | None:
        """The open incident of a service that needs what this one needs, if it began just now.

        What both need is in trouble, then, although nothing has been heard of it yet: it is one incident, and one page.
        `goes_on`: those whose own trouble does.
        """
        for incident in goes_on:
            began = max(incident.opened_at, incident.reopened_at or incident.opened_at)
            if self.draft.now - began > _TOGETHER:
                continue
            shared = self.services.both_need(alert.service, incident.service)
            if shared is not None:
                self.joined.setdefault(incident.number, {})[alert.service] = alert, shared
                return incident
        return None

    def say(self) -> None:
        """Says in the incidents which services have joined on suspicion. Who the routes name for those is paged.

        Where another incident has taken theirs in meanwhile, it is said there.
        """
        for number, joined in self.joined.items():
            like, incident = self.draft.incidents[number], self.draft.incidents[whither(number, self.draft)]
            known = {incident.service, *incident.suspects}
            unexplained = [
                name for name in joined if name not in known and not self.services.needs(name, incident.service)
            ]
            if not unexplained:  # the cause was heard of in the same round
                continue
            shared = _once(joined[name][1] for name in unexplained)
            labels = (labels_of(joined[name][0], incident.drill) for name in unexplained)
            channels = _once(channel for one in labels for channel in self.route(one))
            data = {"services": unexplained, "shared": shared, "channels": channels}
            apart = incident.number != number
            them = (
                f"It needs {', '.join(shared)}, as {like.service} does"
                if apart
                else f"All of it needs {', '.join(shared)}"
            )
            words = f"In trouble too: {', '.join(unexplained)}. {them}: it may lie there"
            self.draft.add(incident.number, "suspected", words, data)


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
