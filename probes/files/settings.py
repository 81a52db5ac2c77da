"""What the prober needs to know of `shopwatch.yaml`: the shop, its services, environments and limits.

`incident.settings.Settings` is the whole file.
"""

from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
)

from probes.duration import Duration, parse_duration
from probes.slo import Slo

Mutates = Literal["none", "cart", "authorize", "order"]
MUTATES: tuple[Mutates, ...] = ("none", "cart", "authorize", "order")  # how deep a run writes, ascending


class Strict(BaseModel):
    """Base of everything that is read from a file: an unknown key is a mistake, and nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True)


def none_word(value: object) -> object:
    """`none`, written where leaving the key out would do too."""
    return None if value == "none" else value


def zone(name: str) -> str:
    """The name of a time zone that this machine knows. Raises ValueError."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'"{name}" is no time zone: write one such as Europe/Berlin or UTC') from None
    return name


def web_address(text: str) -> str:
    """An http or https URL with a host. Raises ValueError."""
    try:
        url = urlsplit(text)
        good = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        good = False
    if not good or any(character.isspace() for character in text):
        raise ValueError(f'"{text}" is not an address: write one such as https://shop.example')
    return text


def _name(text: str) -> str:
    if not text or len(text) > 64 or not all(c.isalnum() or c in "-_." for c in text) or not text[0].isalnum():
        raise ValueError(f'"{text}" is not a name: letters, digits, "-", "_" and ".", at most 64')
    return text


Name = Annotated[str, AfterValidator(_name)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=200)]
TimeZone = Annotated[str, AfterValidator(zone)]
WebAddress = Annotated[str, AfterValidator(web_address)]
Severity = Literal["SEV1", "SEV2", "SEV3", "SEV4"]
SEVERITIES: tuple[Severity, ...] = ("SEV1", "SEV2", "SEV3", "SEV4")  # worst first


def _day(value: object) -> date:
    """Text only: pydantic would take a number for a Unix time."""
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is not a date: write one such as 2026-01-31") from None


Day = Annotated[date, BeforeValidator(_day)]
Positive = Annotated[Duration, Field(gt=0)]
"""A duration that is more than zero."""


class Shop(Strict):
    name: Title
    url: WebAddress | None = None
    time_zone: TimeZone = "UTC"
    languages: tuple[Literal["en", "zh"], ...] = Field(default=("en",), min_length=1)


class MeasuredOrders(Strict):
    """A journey reads them: `value` is what one of its steps saves. `otherwise`: while nothing recent is known."""

    journey: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    value: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    otherwise: float | None = Field(default=None, ge=0, allow_inf_nan=False)


def _said_how(value: object) -> str:
    return "measured" if isinstance(value, dict | MeasuredOrders) else "number"


OrdersPerMinute = Annotated[
    Annotated[float, Field(ge=0, allow_inf_nan=False), Tag("number")] | Annotated[MeasuredOrders, Tag("measured")],
    Discriminator(_said_how),
]


class Service(Strict):
    """`needs`: services without which this one cannot work. `public`: shown on the status page."""

    title: Title
    title_zh: Title | None = None
    group: Title | None = None
    needs: tuple[str, ...] = ()
    public: bool = True
    orders_per_minute: OrdersPerMinute | None = None
    slo: Slo | None = None


class EnvironmentSettings(Strict):
    """A deployment of the shop besides the practice shop. Drills run there only where `drills` says `allowed`."""

    base: WebAddress
    drills: Literal["allowed", "forbidden"] = "forbidden"


class Retention(Strict):
    """How long results are kept: seconds in the model, durations in the file."""

    runs: Positive = parse_duration("14d")
    failures: Positive = parse_duration("90d")
    rollups: Positive = parse_duration("400d")


class Limits(Strict):
    """`mutates`: no run goes deeper than this, whatever its journey says."""

    max_leftovers: int = Field(default=20, ge=0)
    mutates: Mutates = "order"
    retention: Retention = Retention()


def _reference(text: str) -> str:
    """Raises ValueError for what no prober could check its way out with."""
    scheme, _, rest = text.partition(":")
    if scheme in ("http", "https"):
        return web_address(text)
    if scheme == "dns" and rest and not any(c.isspace() or c in "/:" for c in rest):
        return text
    if scheme == "tcp" and _has_port(text):
        return text
    raise ValueError(
        f'"{text}" is no target: write one such as https://example.com, tcp://192.0.2.1:443 or dns:a.example'
    )


def _has_port(text: str) -> bool:
    try:
        url = urlsplit(text)
        return bool(url.hostname and url.port) and not url.path
    except ValueError:
        return False


Reference = Annotated[str, StringConstraints(max_length=500), AfterValidator(_reference)]


class ProberSettings(Strict):
    """`reference`: what answers as long as the prober's own way out works. `silent_after`: seconds without a word after
    which a location is said to be silent."""

    reference: tuple[Reference, ...] = Field(default=(), max_length=10)
    silent_after: Annotated[Duration, Field(ge=30)] = 120.0


class ShopSettings(BaseModel):
    """The part of `shopwatch.yaml` that probes read; services in the order of the shopper's path."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    shop: Shop
    services: dict[Name, Service] = Field(min_length=1)
    environments: dict[Name, EnvironmentSettings] = Field(default_factory=dict)
    limits: Limits = Limits()
    prober: ProberSettings = ProberSettings()

    def measures(self) -> dict[str, frozenset[str]]:
        """By journey: those of its saved values that its results are to tell."""
        found: dict[str, set[str]] = {}
        for service in self.services.values():
            if isinstance(orders := service.orders_per_minute, MeasuredOrders):
                found.setdefault(orders.journey, set()).add(orders.value)
        return {journey: frozenset(names) for journey, names in found.items()}

    def all_needs(self, service: str) -> frozenset[str]:
        """Every service that this one cannot work without, directly or through others; empty for an unknown one."""
        found: set[str] = set()
        waiting = [service]
        while waiting:
            known = self.services.get(waiting.pop())
            fresh = [name for name in (known.needs if known else ()) if name not in found]
            found.update(fresh)
            waiting.extend(fresh)
        return frozenset(found - {service})


def needs_cycle(services: Any) -> list[str] | None:
    """The names along a circle of `needs`, the first one again at the end; None where there is none.

    Takes raw data from the file, whatever it holds.
    """
    graph = {
        name: [need for need in item["needs"] if isinstance(need, str)]
        for name, item in (services.items() if isinstance(services, dict) else ())
        if isinstance(item, dict) and isinstance(item.get("needs"), list)
    }
    done: set[str] = set()
    for start in graph:
        if circle := _walk(graph, start, [], done):
            return circle
    return None


def _walk(graph: dict[str, list[str]], name: str, trail: list[str], done: set[str]) -> list[str] | None:
    if name in trail:
        return [*trail[trail.index(name) :], name]
    if name in done:
        return None
    for need in graph.get(name, ()):
        if circle := _walk(graph, need, [*trail, name], done):
            return circle
    done.add(name)
    return None
