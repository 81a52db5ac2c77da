"""The switches that break the practice shop: the vocabulary that drill files and the HTTP endpoint share."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from drills.errors import DrillsError
from probes.duration import format_duration, parse_duration

Kind = Literal["flag", "duration", "share"]
Value = bool | float
"""`True` for a flag, seconds for a duration, 0 to 1 for a share."""

LONGEST = 3600.0  # seconds, of a duration and of a lease


class UnknownSwitch(DrillsError):
    """There is no switch of that name."""


class BadSwitchValue(DrillsError):
    """The switch exists, but cannot be set to that."""


@dataclass(frozen=True, slots=True)
class Switch:
    """`owner` is the practice service that acts on it; the shop passes on what is not its own."""

    kind: Kind
    owner: Literal["shop", "psp", "carrier"]
    description: str


SWITCHES: dict[str, Switch] = {
    "signin_refuses": Switch("flag", "shop", "Sign-in refuses good passwords: the page comes again, with an error."),
    "session_lost": Switch("flag", "shop", "The session is gone in mid-checkout, when the address is sent."),
    "catalogue_empty": Switch("flag", "shop", "The catalogue has no products, behind a 200."),
    "wrong_total": Switch("flag", "shop", "The order's total leaves out the tax, and is charged that way."),
    "basket_loses_lines": Switch("flag", "shop", "A product put into the basket pushes the others out."),
    "coupon_ignored": Switch("flag", "shop", "A coupon is accepted and takes nothing off."),
    "order_doubled": Switch("flag", "shop", "An order is written twice."),
    "slow": Switch("duration", "shop", "Every answer of the shop comes this much later."),
    "error_rate": Switch("share", "shop", "This share of the requests to the shop, 0 to 1, is answered with 500."),
    "hang": Switch("flag", "shop", "The shop accepts requests and does not answer."),
    "psp_declines": Switch("flag", "psp", "The payment provider declines every payment."),
    "psp_delay": Switch("duration", "psp", "The payment provider answers this much later."),
    "psp_errors": Switch("flag", "psp", "The payment provider answers 500."),
    "callback_lost": Switch("flag", "psp", "The payment provider takes the money and never calls back."),
    "carrier_frozen": Switch("flag", "carrier", "The carrier's feed answers, and has no new scans."),
    "carrier_lag": Switch("duration", "carrier", "Scans appear in the carrier's feed this much later."),
}


def parse_value(name: str, value: object) -> Value:
    """What a drill file or a request says, checked. `False` is off, whatever the kind; so are a duration and a share
    of 0. Raises UnknownSwitch or BadSwitchValue."""
    switch = SWITCHES.get(name)
    if switch is None:
        raise UnknownSwitch(f"there is no switch {name!r}; there are: {', '.join(SWITCHES)}")
    if value is False or (switch.kind == "flag" and value is True):
        return bool(value)
    if switch.kind == "flag":
        raise BadSwitchValue(f"{name}: {value!r} is neither true nor false")
    if switch.kind == "share":
        return _share(name, value)
    return _seconds(name, value)


def parse_lease(value: object) -> float | None:
    """Seconds, from a number of them or a text such as `10m`. Raises BadSwitchValue."""
    if value is None:
        return None
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        seconds = float(value)
    else:
        seconds = _seconds("lease", value)
    if not 0 < seconds <= LONGEST:
        raise BadSwitchValue(f"lease: {value!r} is not between 0 and {format_duration(LONGEST)}")
    return seconds


def _share(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not 0 <= value <= 1:
        raise BadSwitchValue(f"{name}: {value!r} is not a number from 0 to 1")
    return float(value)


def _seconds(name: str, value: object) -> float:
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise BadSwitchValue(f"{name}: {error}") from error
    if seconds > LONGEST:
        raise BadSwitchValue(f"{name}: {value!r} is longer than {format_duration(LONGEST)}")
    return seconds


@dataclass(frozen=True, slots=True)
class Setting:
    """A switch that is on. Instants are Unix times; `until` is when it reverts by itself."""

    name: str
    value: Value
    since: float
    until: float | None

    def to_json(self) -> dict[str, Any]:
        kind = SWITCHES[self.name].kind
        shown = format_duration(self.value) if kind == "duration" else self.value
        return {"name": self.name, "value": shown, "since": self.since, "until": self.until}


class Switchboard:
    """The switches of one process. Whether a lease has ended is judged when a switch is read: nothing sleeps on it."""

    def __init__(self, owner: str, clock: Callable[[], float] = time.time) -> None:
        self._names = [name for name, switch in SWITCHES.items() if switch.owner == owner]
        self._clock = clock
        self._settings: dict[str, Setting] = {}

    def owns(self, name: str) -> bool:
        return name in self._names

    def put(self, name: str, value: object, lease: object = None) -> None:
        """Raises UnknownSwitch or BadSwitchValue. Setting a switch again starts its lease anew, not its `since`."""
        parsed, seconds = parse_value(name, value), parse_lease(lease)
        if not self.owns(name):
            raise UnknownSwitch(f"{name} is a switch of another service: {SWITCHES[name].owner}")
        if not parsed:
            self._settings.pop(name, None)
            return
        now = self._clock()
        known = self.setting(name)
        since = known.since if known is not None and known.value == parsed else now
        self._settings[name] = Setting(name, parsed, since, None if seconds is None else now + seconds)

    def clear(self) -> None:
        self._settings.clear()

    def setting(self, name: str) -> Setting | None:
        setting = self._settings.get(name)
        if setting is not None and setting.until is not None and self._clock() >= setting.until:
            del self._settings[name]
            return None
        return setting

    def on(self, name: str) -> bool:
        return self.setting(name) is not None

    def number(self, name: str) -> float:
        """The seconds or the share of a switch, 0 where it is off."""
        setting = self.setting(name)
        return 0.0 if setting is None else float(setting.value)

    def active(self) -> list[Setting]:
        return [setting for name in self._names if (setting := self.setting(name)) is not None]
