"""An incident drawn: its status, the alerts that fired by service, changes and updates, over time. An SVG. Pure.

Every text from outside is escaped; colours follow the reader's light or dark; nothing is loaded.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape

from incident.reviews import story
from incident.reviews.facts import Material

WIDTH, LEFT, RIGHT, TOP, ROW, BAR = 960, 150, 24, 46, 34, 18
_MOST_ROWS = 12
_STEPS = [timedelta(minutes=n) for n in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080, 43200)]
_TICKS = 9
_STYLE = (
    "svg{--i:#1c2126;--s:#59636e;--l:#d5dae0;--a:#b3261e;--n:#c05a00;--d:#8a6100;--m:#1a6fc4;--o:#1b7f3b;--k:#6b4fa0}"
    "@media (prefers-color-scheme:dark){svg{--i:#e6eaee;--s:#9aa5b1;--l:#39424c;--a:#f2766c;--n:#f0944d;--d:#d9b04a;"
    "--m:#6fb1f5;--o:#5fc981;--k:#b79df0}}"
    "text{font:12px system-ui,'Noto Sans','Noto Sans CJK SC',sans-serif;fill:var(--i)}"
    ".t{fill:var(--s);font-size:11px}.g{stroke:var(--l);stroke-width:1}"
    ".v{stroke:var(--i);stroke-width:1.5;stroke-dasharray:3 3}"
    ".investigating{fill:var(--n)}.identified{fill:var(--d)}.monitoring{fill:var(--m)}.resolved{fill:var(--o)}"
    ".alert{fill:var(--a)}.public{fill:var(--m)}.internal{fill:none;stroke:var(--m);stroke-width:1.5}"
    ".change{fill:var(--k)}"
)


def draw(material: Material, updates: Iterable[Mapping[str, object]], words: Mapping[str, str]) -> str:
    return _Picture(material, words).drawn(list(updates))


class _Picture:
    def __init__(self, material: Material, words: Mapping[str, str]) -> None:
        incident = material.incident
        self.material, self.words = material, words
        changes = [_instant(change["at"]) for change in material.changes]
        recent = [at for at in changes if incident.since - at <= timedelta(hours=1)]
        first = min([incident.since, incident.opened_at, *recent])
        last = max(material.end, incident.opened_at + timedelta(minutes=1))
        margin = max((last - first) / 40, timedelta(seconds=20))
        self.begin, self.end = first - margin, last + margin
        self.parts: list[str] = []
        self.y = TOP

    def x(self, at: datetime) -> float:
        part = (at - self.begin) / (self.end - self.begin)
        return round(LEFT + min(max(part, 0.0), 1.0) * (WIDTH - LEFT - RIGHT), 1)

    def drawn(self, updates: Sequence[Mapping[str, object]]) -> str:
        self._status()
        self._alerts()
        self._changes()
        self._updates(updates)
        bottom = self.y
        marks = self._marks(bottom)
        height = bottom + 28
        incident = self.material.incident
        title = escape(f"#{incident.number} {incident.title}")
        description = escape(self.words["picture"])
        ticks = self._grid(bottom)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            f'aria-labelledby="picture-title picture-desc"><title id="picture-title">{title}</title>'
            f'<desc id="picture-desc">{description}</desc><style>{_STYLE}</style>'
            + "".join([*ticks, *self.parts, *marks])
            + "</svg>"
        )

    def _row(self, name: str) -> int:
        """Begins a row with its name on the left; returns the top of its bar."""
        short = name if len(name) <= 20 else name[:19] + "…"
        self.parts.append(f'<text x="{LEFT - 12}" y="{self.y + 13}" text-anchor="end">{escape(short)}</text>')
        top, self.y = self.y, self.y + ROW
        return top

    def _bar(self, top: int, span: tuple[datetime, datetime], look: str, says: str, inside: str = "") -> None:
        left, right = self.x(span[0]), self.x(span[1])
        width = round(max(right - left, 2.0), 1)
        self.parts.append(
            f'<rect class="{look}" x="{left}" y="{top}" width="{width}" height="{BAR}" rx="2">'
            f"<title>{escape(says)}</title></rect>"
        )
        if inside and width >= 9 * len(inside) + 10:
            place = f'x="{left + width / 2:.1f}" y="{top + BAR + 12}"'
            self.parts.append(f'<text {place} class="t" text-anchor="middle">{escape(inside)}</text>')

    def _status(self) -> None:
        top = self._row(self.words["status_row"])
        self.y += 4
        found = story.statuses(self.material.events)
        until = max(self.material.end, found[-1][0] if found else self.material.end)
        for (at, status), following in zip(found, [*(at for at, _ in found[1:]), until], strict=True):
            look = status if status in self.words else "investigating"
            says = f"{self.words.get(status, status)}: {self._clock(at)}–{self._clock(following)}"
            if status != "resolved" or following > at:
                self._bar(top, (at, following), look, says, self.words.get(status, status))

    def _alerts(self) -> None:
        for name, spans in list(story.spans(self.material.events, self.material.end).items())[:_MOST_ROWS]:
            top = self._row(name)
            for begin, end, most in spans:
                begin = max(self.begin, min(begin, self.material.incident.since) if begin is spans[0][0] else begin)
                count = f"{most} × " if most > 1 else ""
                self._bar(top, (begin, end), "alert", f"{count}{name}: {self._clock(begin)}–{self._clock(end)}")

    def _changes(self) -> None:
        shown = [one for one in self.material.changes if _instant(one["at"]) >= self.begin]
        if not shown:
            return
        top = self._row(self.words["changes_row"]) + BAR // 2
        for one in shown:
            x = self.x(_instant(one["at"]))
            says = escape(f"{self._clock(_instant(one['at']))} {one['summary']}")
            path = f"M{x} {top - 8}l8 8l-8 8l-8 -8z"
            self.parts.append(f'<path class="change" d="{path}"><title>{says}</title></path>')

    def _updates(self, updates: Sequence[Mapping[str, object]]) -> None:
        if not updates:
            return
        top = self._row(self.words["updates_row"]) + BAR // 2
        for one in updates:
            x, look = self.x(_instant(one["at"])), "public" if one["public"] else "internal"
            says = escape(f"{self._clock(_instant(one['at']))} {self.words[look]}: {one['text']}"[:300])
            self.parts.append(f'<circle class="{look}" cx="{x}" cy="{top}" r="6"><title>{says}</title></circle>')

    def _marks(self, bottom: int) -> list[str]:
        """Upright lines where it was opened, acknowledged, mitigated and resolved, with their names above."""
        incident = self.material.incident
        found, ends = [], [0.0, 0.0]
        for name, at in (
            ("opened", incident.opened_at),
            ("acknowledged", incident.acknowledged_at),
            ("mitigated", incident.mitigated_at),
            ("resolved", incident.resolved_at),
        ):
            if at is None:
                continue
            x, text = self.x(at), self.words[name]
            half = 3.6 * sum(2 if ord(letter) > 0x2E80 else 1 for letter in text) + 4
            middle = min(max(x, half), WIDTH - half)
            level = next((n for n, end in enumerate(ends) if middle - half >= end), 1)
            ends[level] = middle + half
            found.append(f'<line class="v" x1="{x}" x2="{x}" y1="{TOP - 10}" y2="{bottom - 8}"/>')
            found.append(
                f'<text x="{middle:.1f}" y="{TOP - 14 - 15 * level}" text-anchor="middle">{escape(text)}</text>'
            )
        return found

    def _grid(self, bottom: int) -> list[str]:
        zone, whole = self.material.zone, self.end - self.begin
        step = next((one for one in _STEPS if whole / one <= _TICKS), whole / _TICKS)
        at = _rounded_up(self.begin.astimezone(zone), step)
        lines = []
        while at <= self.end:
            x = self.x(at)
            lines.append(f'<line class="g" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{bottom - 8}"/>')
            words = at.astimezone(zone).strftime("%H:%M" if step < timedelta(days=1) else "%m-%d")
            lines.append(f'<text x="{x}" y="{bottom + 10}" class="t" text-anchor="middle">{words}</text>')
            at += step
        return lines

    def _clock(self, at: datetime) -> str:
        return at.astimezone(self.material.zone).strftime("%H:%M:%S")


def _rounded_up(at: datetime, step: timedelta) -> datetime:
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + -(-(at - midnight) // step) * step


def _instant(text: object) -> datetime:
    return datetime.fromisoformat(str(text))
