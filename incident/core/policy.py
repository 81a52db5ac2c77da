"""From `shopwatch.yaml` to what the pure core needs to know."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import structlog

from incident.core.decide import Policy
from incident.core.muting.dead_men import DeadManSwitch
from incident.core.muting.inhibitions import InhibitRule
from incident.core.muting.locations import Heard
from incident.core.muting.maintenance import Maintenance
from incident.core.muting.silences import Silence
from incident.core.muting.stages import World
from incident.core.muting.windows import Recurrence, Window
from incident.core.placing import no_group
from incident.core.routing import Route, channels_for, group_for
from incident.core.services import ServiceMap
from incident.core.severity import Scale
from incident.muting_settings import MaintenanceWindow
from incident.settings import Route as RouteSettings
from incident.settings import Settings
from probes.files.settings import MeasuredOrders

log = structlog.get_logger("incident.core.policy")

_NOBODY: Heard = MappingProxyType({})
RunbookFinder = Callable[[Mapping[str, str]], Sequence[str]]


def policy_of(settings: Settings, runbook_finder: RunbookFinder | None = None) -> Policy:
    """`runbook_finder` names the runbooks for an alert's labels, the most fitting first."""
    routes = _routes(settings.routes)
    return Policy(
        services=ServiceMap({name: service.needs for name, service in settings.services.items()}),
        route=lambda labels: channels_for(routes, labels),
        group=(lambda labels: group_for(routes, labels)) if _grouping(routes) else no_group,
        runbooks=_safe(runbook_finder),
        auto_resolve=settings.incidents.auto_resolve,
        settle=settings.incidents.settle,
        rejoin=settings.incidents.rejoin,
        page_again=settings.incidents.page_again,
        scale=scale_of(settings),
    )


def scale_of(settings: Settings) -> Scale:
    """Its orders are those that the file says itself, also where they are measured: for as long as nothing is known."""
    orders: dict[str, float] = {}
    measured: dict[str, tuple[str, str]] = {}
    for name, service in settings.services.items():
        said = service.orders_per_minute
        if isinstance(said, MeasuredOrders):
            measured[name] = said.journey, said.value
            said = said.otherwise
        if said is not None:
            orders[name] = said
    at_risk = {str(level): least for level, least in settings.incidents.at_risk.items()}
    return Scale(orders, at_risk, measured=measured)


def world_of(settings: Settings, silences: Sequence[Silence] = (), heard: Heard = _NOBODY) -> World:
    """What holds alerts back: the workspace's word, `silences`, and that some of the locations `heard` disagree."""
    return World(
        services=ServiceMap({name: service.needs for name, service in settings.services.items()}),
        silences=tuple(silences),
        inhibit=tuple(InhibitRule(rule.source, rule.target, rule.equal) for rule in settings.inhibit),
        maintenance=maintenance_of(settings),
        dead_men=tuple(DeadManSwitch(item.name, item.match) for item in settings.intake.dead_man),
        heard=dict(heard),
    )


def maintenance_of(settings: Settings) -> tuple[Maintenance, ...]:
    return tuple(
        Maintenance(item.name, _window(item, settings.shop.time_zone), item.services, item.journeys)
        for item in settings.maintenance
    )


def _window(item: MaintenanceWindow, shop_zone: str) -> Window:
    recurrence = None
    if item.cron is not None and item.duration is not None:
        recurrence = Recurrence(item.cron, timedelta(seconds=item.duration), item.time_zone or shop_zone)
    start, end = item.between(shop_zone)
    return Window(start or datetime.min.replace(tzinfo=UTC), end, recurrence)


def _routes(configured: Sequence[RouteSettings]) -> tuple[Route, ...]:
    return tuple(Route(route.match, route.channels, _routes(route.routes), route.group_by) for route in configured)


def _grouping(routes: Sequence[Route]) -> bool:
    return any(route.group_by or _grouping(route.routes) for route in routes)


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
