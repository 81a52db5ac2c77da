"""From `shopwatch.yaml` to what the pure core needs to know."""

from collections.abc import Callable, Mapping, Sequence

import structlog

from incident.core.decide import Policy
from incident.core.routing import Route, channels_for
from incident.core.services import ServiceMap
from incident.settings import Route as RouteSettings
from incident.settings import Settings

log = structlog.get_logger("incident.core.policy")

RunbookFinder = Callable[[Mapping[str, str]], Sequence[str]]


def policy_of(settings: Settings, runbook_finder: RunbookFinder | None = None) -> Policy:
    """`runbook_finder` names the runbooks for an alert's labels, the most fitting first."""
    routes = _routes(settings.routes)
    return Policy(
        services=ServiceMap({name: service.needs for name, service in settings.services.items()}),
        route=lambda labels: channels_for(routes, labels),
        runbooks=_safe(runbook_finder),
        auto_resolve=settings.incidents.auto_resolve,
    )


def _routes(configured: Sequence[RouteSettings]) -> tuple[Route, ...]:
    return tuple(Route(route.match, route.channels, _routes(route.routes)) for route in configured)


def _safe(finder: RunbookFinder | None) -> RunbookFinder:
    """An incident opens without a runbook rather than not at all."""

    def find(labels: Mapping[str, str]) -> Sequence[str]:
        if finder is None:
            return ()
        try:
            return finder(labels)
        except Exception:
            log.exception("runbooks could not be matched", labels=dict(labels))
            return ()

    return find
