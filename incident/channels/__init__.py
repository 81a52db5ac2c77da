"""Ways to tell people. A new kind is one module with `build`, and one line in KINDS."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import structlog

from incident.core.deliveries import Message
from incident.core.routing import CONSOLE
from incident.errors import IncidentError
from incident.settings import Channel as ChannelSettings
from incident.settings import Settings

if TYPE_CHECKING:
    from incident.desk import Desk

log = structlog.get_logger("incident.channels")

KINDS: dict[str, str] = {  # the key of shopwatch.yaml: the module whose `build(name, spec, context)` makes it
    "console": "incident.channels.console",
    "webhook": "incident.channels.webhook",
    "slack": "incident.channels.slack",
}


class DeliveryFailed(IncidentError):
    """A message that did not arrive. `permanent`: it never will. `retry_after`: seconds, as the other side asks."""

    def __init__(self, text: str, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.retry_after = retry_after


class Channel(Protocol):
    async def send(self, message: Message) -> None:
        """Returns once the other side has taken it. Raises DeliveryFailed; anything else is tried again too."""

    async def close(self) -> None:
        """Lets go of connections."""


@dataclass(frozen=True)
class Context:
    """What a channel may need beyond its own settings: the desk to read the present state, and to keep references."""

    settings: Settings
    desk: "Desk"


class Unsupported:
    """A kind of channel that this version cannot speak: each delivery fails at once, and the timeline says so."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    async def send(self, message: Message) -> None:
        raise DeliveryFailed(f"this version of Shopwatch cannot send by {self._kind}", permanent=True)

    async def close(self) -> None:
        return


def build_channels(settings: Settings, desk: "Desk") -> dict[str, Channel]:
    """Every configured channel by name, and the console. Raises ChannelMisconfigured for one that could never work."""
    context = Context(settings, desk)
    specs: dict[str, ChannelSettings] = {CONSOLE: ChannelSettings(console=True), **settings.channels}
    return {name: _build(name, spec, context) for name, spec in specs.items()}


def rebuild_channels(
    settings: Settings, desk: "Desk", before: Settings, channels: Mapping[str, Channel]
) -> dict[str, Channel]:
    """As `build_channels`; those that are configured as they were `before` stay the ones they are.

    Raises ChannelMisconfigured.
    """
    context = Context(settings, desk)
    same_slack = settings.slack == before.slack
    kept = {
        name: channels[name]
        for name, spec in settings.channels.items()
        if name in channels and before.channels.get(name) == spec and (same_slack or spec.kind != "slack")
    }
    if CONSOLE in channels and CONSOLE not in settings.channels and CONSOLE not in before.channels:
        kept[CONSOLE] = channels[CONSOLE]
    specs: dict[str, ChannelSettings] = {CONSOLE: ChannelSettings(console=True), **settings.channels}
    return {name: kept.get(name) or _build(name, spec, context) for name, spec in specs.items()}


def _build(name: str, spec: ChannelSettings, context: Context) -> Channel:
    module = KINDS.get(spec.kind)
    if module is None:
        log.warning("channel cannot be used", channel=name, kind=spec.kind, why="this version does not speak it")
        return Unsupported(spec.kind)
    built: Channel = import_module(module).build(name, spec, context)
    return built


async def close_channels(channels: Mapping[str, Channel]) -> None:
    for channel in channels.values():
        await channel.close()
