"""What shopwatch.yaml says of keeping quiet: `inhibit` and `maintenance`."""

from datetime import UTC, datetime
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from incident.core.muting.windows import check_cron
from probes.files.settings import Name, Positive, Strict, TimeZone, Title
from probes.labels import LabelMatcher, parse_matcher


def _matcher(text: object) -> LabelMatcher:
    if isinstance(text, LabelMatcher):
        return text
    if not isinstance(text, str):
        raise ValueError('should be a matcher such as severity="SEV1"')
    return parse_matcher(text)


def _moment(value: object) -> datetime:
    """Text only, as for days: pydantic would take a number for a Unix time."""
    if isinstance(value, datetime):
        return value
    text = str(value)
    try:
        if not ("T" in text or " " in text.strip()):
            raise ValueError("a day is no moment")
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f'"{text}" is not a time: write one such as 2026-01-31T22:00') from None


Matcher = Annotated[LabelMatcher, BeforeValidator(_matcher), WithJsonSchema({"type": "string"})]
Moment = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "examples": ["2026-01-31T22:00"]})
]
Cron = Annotated[str, AfterValidator(check_cron)]
LabelName = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Inhibit(Strict):
    """While an alert matches all of `source`, those that match all of `target` and agree in `equal` are quiet."""

    source: tuple[Matcher, ...] = Field(min_length=1)
    target: tuple[Matcher, ...] = Field(min_length=1)
    equal: tuple[LabelName, ...] = ()


class MaintenanceWindow(Strict):
    """Planned work: once (`from`, `to`), or again and again (`cron`, `for`). Without a zone of its own, the shop's."""

    name: Title
    services: tuple[str, ...] = ()
    journeys: tuple[Name, ...] = ()
    start: Moment | None = Field(default=None, alias="from")
    end: Moment | None = Field(default=None, alias="to")
    cron: Cron | None = None
    duration: Positive | None = Field(default=None, alias="for")
    time_zone: TimeZone | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if not self.services and not self.journeys:
            raise ValueError("names neither services nor journeys: say what is worked on")
        recurs = self.cron is not None and self.duration is not None
        once = self.cron is None and self.duration is None and self.start is not None and self.end is not None
        if not recurs and not once:
            raise ValueError("needs either `from` and `to`, or `cron` and `for`")
        start, end = self.between("UTC")
        if start is not None and end is not None and end <= start:
            raise ValueError("ends before it begins: `to` should be after `from`")
        return self

    def between(self, shop_zone: str) -> tuple[datetime | None, datetime | None]:
        """`from` and `to` as instants. With `cron` they are bounds, which may be missing."""
        zone = ZoneInfo(self.time_zone or shop_zone)
        return _zoned(self.start, zone), _zoned(self.end, zone)


def _zoned(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
