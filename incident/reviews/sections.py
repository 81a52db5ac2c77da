"""The parts of a review that Shopwatch writes, as Markdown. Pure.

Each stands between two comments, so that it can be made anew in a text that people have worked on meanwhile.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from incident.reviews.facts import Facts

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&!#$])")
_MARK = re.compile(r"<!-- shopwatch:([a-z_]+) -->\n(.*?)<!-- /shopwatch:\1 -->", re.S)
COMMENT = re.compile(r"^<!-- /?shopwatch:[^\n]{1,60}? -->[ \t]*\n?", re.M)
_CELL = 400  # characters of a text from outside in one line


def escaped(text: Any) -> str:
    """Text from outside as one line of Markdown that means nothing but itself."""
    words = " ".join(str(text).split())
    words = words if len(words) <= _CELL else words[: _CELL - 1] + "…"
    return _SPECIAL.sub(r"\\\1", words).replace("://", ":\u200b//")


def lasted(seconds: float) -> str:
    """`1 h 12 min`, `40 s`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest} s" if rest and minutes < 5 else "")
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return (f"{days} d " if days else "") + f"{hours} h" + (f" {minutes} min" if minutes else "")


class Sections:
    """Writes each part in one language, with instants by the clocks of `zone`."""

    def __init__(self, facts: Facts, words: Mapping[str, str], zone: ZoneInfo) -> None:
        self.facts = facts
        self.words = words
        self.zone = zone

    def all(self) -> dict[str, str]:
        return {name: f"<!-- shopwatch:{name} -->\n{write(self)}\n<!-- /shopwatch:{name} -->" for name, write in PARTS}

    def refreshed(self, text: str) -> str:
        """A text with those of its parts that Shopwatch wrote made anew; what people wrote stays."""
        parts = self.all()
        return _MARK.sub(lambda found: parts.get(found[1], found[0]), text)

    def clock(self, instant: str | None, day: bool = True) -> str:
        if instant is None:
            return self.words["never"]
        local = datetime.fromisoformat(instant).astimezone(self.zone)
        return local.strftime("%Y-%m-%d %H:%M" if day else "%H:%M")

    def _table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        head = [self.words[name] for name in columns]
        lines = [head, ["---"] * len(head), *rows]
        return "\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _facts(self: Sections) -> str:
    times, facts = self.facts["times"], self.facts
    drill = f" ({self.words['drill']})" if facts["drill"] else ""
    over = facts["times"]["resolved_at"]
    ending = self.words["goes_on"]
    if over is not None:
        whole = (datetime.fromisoformat(over) - datetime.fromisoformat(times["began_at"])).total_seconds()
        ending = self.words["ended_after"].format(lasted(max(0.0, whole)))
    begin = self.words["began_and"].format(self.clock(times["began_at"]))
    services = self.words["touched"].format(", ".join(map(escaped, facts["services"])))
    return f"**{facts['severity']}**{drill}. {services} {begin}{ending} {self.words['zone'].format(self.zone.key)}"


def _times(self: Sections) -> str:
    times = self.facts["times"]
    rows = [[self.words["began"], self.clock(times["began_at"]), ""]]
    rows += [
        [self.words[name], self.clock(times[f"{name}_at"]), "" if times[took] is None else lasted(times[took])]
        for name, took in (
            ("opened", "detect_s"),
            ("acknowledged", "acknowledge_s"),
            ("mitigated", "mitigate_s"),
            ("resolved", "resolve_s"),
        )
    ]
    return self._table(("what", "at", "took"), rows)


def _impact(self: Sections) -> str:
    found, words = self.facts["impact"], self.words
    rows = []
    for one in found["journeys"]:
        places = [
            f"{escaped(place['location'])}: {place['minutes']:g} min, "
            + words["failed_runs"].format(place["failed"], place["runs"])
            for place in one["locations"]
        ]
        rows.append([escaped(one["journey"]), f"{one['minutes']:g}", "; ".join(places)])
    text = self._table(("journey", "minutes_down", "places"), rows) if rows else words["no_journey"]
    orders = found["orders"]
    if orders["at_risk"] is not None:
        how = "; ".join(
            words["orders_of"].format(escaped(one["service"]), f"{one['per_minute']:g}", f"{one['minutes']:g}")
            for one in orders["by_service"]
        )
        text += "\n\n" + words["orders"].format(orders["at_risk"], how)
    return text


def _changes(self: Sections) -> str:
    rows = [[self.clock(one["at"]), escaped(one["source"]), escaped(one["summary"])] for one in self.facts["changes"]]
    return self._table(("at", "source", "what"), rows) if rows else self.words["no_changes"]


def _timeline(self: Sections) -> str:
    rows = []
    for one in self.facts["timeline"]:
        text = escaped(one["text"])
        if one["count"] > 1:
            more = self.words["more"].format(one["count"] - 1, self.clock(one["until"], day=False))
            text += f" ({more})"
        rows.append([self.clock(one["at"]), escaped(one["by"]), text])
    return self._table(("at", "who", "what"), rows)


def _tried(self: Sections) -> str:
    rows = [[self.clock(one["at"]), escaped(one["by"]), escaped(one["text"])] for one in self.facts["tried"]]
    return self._table(("at", "who", "what"), rows) if rows else self.words["nothing"]


def _updates(self: Sections) -> str:
    words, rows = self.words, []
    for one in self.facts["updates"]:
        due = ""
        if one["due_at"] is not None:
            late = one["late_s"]
            due = words["late"].format(lasted(late)) if late else words["in_time"]
        kind = words["public" if one["public"] else "internal"]
        rows.append([self.clock(one["at"]), kind, due, escaped(one["text"])])
    text = self._table(("at", "kind", "due", "text"), rows) if rows else ""
    if not any(one["public"] for one in self.facts["updates"]):
        text += f"\n{words['no_public']}" if text else words["no_public"]
    return text


def _items(self: Sections) -> str:
    rows = []
    for one in self.facts["action_items"]:
        due = "" if one["due"] is None else self.clock(one["due"])[:10]
        rows.append([one["task"], escaped(one["text"]), escaped(one["owner"] or ""), due, self.words[one["state"]]])
    if not rows:
        return self.words["no_items"].format(self.facts["number"])
    return self._table(("n", "what", "owner", "due", "state"), rows)


def _causes(self: Sections) -> str:
    return "\n".join(f"- {escaped(name)}" for name in self.facts["causes"]) or self.words["no_causes"]


def _similar(self: Sections) -> str:
    lines = []
    for one in self.facts["similar"]:
        causes = f" ({escaped(', '.join(one['causes']))})" if one["causes"] else ""
        left = "; " + self.words["undone"].format(", ".join(one["undone"])) if one["undone"] else ""
        day = self.clock(one["opened_at"])[:10]
        lines.append(f"- \\#{one['number']} {escaped(one['title'])}{causes}, {day}, {escaped(one['how'])}{left}")
    return "\n".join(lines) or self.words["no_similar"]


PARTS: tuple[tuple[str, Callable[[Sections], str]], ...] = (
    ("facts", _facts),
    ("times", _times),
    ("impact", _impact),
    ("changes", _changes),
    ("timeline", _timeline),
    ("tried", _tried),
    ("updates", _updates),
    ("action_items", _items),
    ("causes", _causes),
    ("similar", _similar),
)
