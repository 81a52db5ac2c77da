"""Alerts that are about no single journey's runs: the prober's own trouble, and whatever else is either so or not so.

Pure. The state is that of a journey whose alert `down` this is, so that it is repeated, kept and ended alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from probes.alert import Alert
from probes.prober.rules import RESEND, JourneyState, Open, Over

_TICK = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Said:
    """What is so. The labels are its identity; annotations may change while it goes on."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def stand(
    state: JourneyState, said: Said | None, now: datetime, *, resend: timedelta = RESEND
) -> tuple[JourneyState, list[Alert]]:
    """The new state and the alerts to send now. `said` None: it is not so, or no longer."""
    alerts: list[Alert] = []
    firing = state.down
    if firing is not None and (said is None or said.labels != firing.labels):
        over = Over(firing.labels, firing.annotations, firing.starts_at, max(now, firing.starts_at + _TICK))
        state, firing = replace(state, down=None, over=(*state.over, over)), None
        alerts.append(over.alert(now))
    if said is None:
        return state, alerts
    if firing is not None:
        return replace(state, down=replace(firing, annotations=said.annotations)), alerts
    ends = [ended.ends_at for ended in state.over if ended.labels == said.labels]
    begun = Open(said.labels, said.annotations, max([now, *(end + _TICK for end in ends)]), sent_at=now)
    others = tuple(ended for ended in state.over if ended.labels != said.labels)
    return replace(state, down=begun, over=others), [begun.alert(now, resend), *alerts]
