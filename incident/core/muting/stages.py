"""The stages by name. A new reason to hold alerts back is one file, and one line here. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from incident.core.muting.dead_men import DeadManSwitch, DeadMen
from incident.core.muting.inhibitions import Inhibitions, InhibitRule
from incident.core.muting.locations import Heard, Locations
from incident.core.muting.maintenance import Maintenance, Maintenances
from incident.core.muting.mute import Stage
from incident.core.muting.silences import Silence, Silences
from incident.core.services import ServiceMap


@dataclass(frozen=True)
class World:
    """What stages are made from: the workspace's word, and the silences that have not expired."""

    services: ServiceMap
    silences: tuple[Silence, ...] = ()
    inhibit: tuple[InhibitRule, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    dead_men: tuple[DeadManSwitch, ...] = ()
    heard: Heard = field(default_factory=dict)


# Each makes its stage; None where there is nothing that it could hold back, which then costs nothing.
STAGES: Mapping[str, Callable[[World], Stage | None]] = {
    "silences": lambda world: Silences(world.silences) if world.silences else None,
    "dead men": lambda world: DeadMen(world.dead_men) if world.dead_men else None,
    "inhibitions": lambda world: Inhibitions(world.inhibit) if world.inhibit else None,
    "locations": lambda world: Locations(world.heard) if len(world.heard) > 1 else None,
    "maintenance": lambda world: Maintenances(world.maintenance, world.services) if world.maintenance else None,
}


def build(world: World) -> tuple[Stage, ...]:
    made = (make(world) for make in STAGES.values())
    return tuple(stage for stage in made if stage is not None)
