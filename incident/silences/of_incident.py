"""The action `silence`: holds back what an incident's alerts have in common, for a while."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from incident.core.acting import Args, said
from incident.core.actions import must_be_unchanged
from incident.core.actor import Actor, Role
from incident.core.alerts import StoredAlert
from incident.errors import Refused
from incident.silences.rules import Wanted
from incident.store import alerts as alert_store
from probes.labels import LabelMatcher

if TYPE_CHECKING:
    from incident.desk import Desk

LONGEST = timedelta(days=30)


async def silence(desk: "Desk", number: int, actor: Actor, args: Args) -> str:
    """Silences the alerts of this incident, and those like them, for `for` seconds; `text` says why. Returns its id.

    Raises NotFound, NotAllowed, Conflict, or Refused, also where its alerts have nothing in common.
    """
    actor.must_be(Role.RESPONDER, "silence alerts")
    lasts = args.get("for")
    if not isinstance(lasts, int | float) or isinstance(lasts, bool) or not 0 < lasts <= LONGEST.total_seconds():
        raise Refused("a silence lasts up to 30 days: say for how long, such as 2h")
    incident = await desk.incident(number)
    must_be_unchanged(incident, args)
    alerts = await desk.database.read(lambda connection: alert_store.by_fingerprint(connection, incident.alerts))
    if not alerts:
        raise Refused(f"#{number} has no alerts to silence")
    comment = said(args, required=False) or f"#{number} {incident.title}"
    now = desk.now()
    wanted = Wanted(common(alerts), now, now + timedelta(seconds=lasts), actor.name, comment)
    return await desk.silences.post(wanted, actor)


def common(alerts: Sequence[StoredAlert]) -> tuple[LabelMatcher, ...]:
    """Matchers for the labels that all of them have alike. Raises Refused where there are none.

    The severity is left out: the same trouble may come back as a worse one, and should then be heard.
    """
    shared = {name: value for name, value in alerts[0].labels.items() if name != "severity"}
    for alert in alerts[1:]:
        shared = {name: value for name, value in shared.items() if alert.labels.get(name) == value}
    if not shared:
        raise Refused("its alerts have no label in common: silence them by matchers, `shopwatch silence add …`")
    return tuple(LabelMatcher(name, value) for name, value in sorted(shared.items()))
