"""The public status page: `/`, `/zh/` and `/api/v2/summary.json`. Plain starlette; rendered once per change."""

import asyncio
import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from incident.core.model import Incident
from incident.core.policy import maintenance_of
from incident.desk import Desk
from incident.settings import Settings
from incident.web import announced, public
from incident.web.public import Board, Notice
from incident.web.summary import summary
from incident.web.words import HTML_LANG, WORDS

TEMPLATES = Path(__file__).parent / "templates"
LOOK_BACK = 300  # incidents looked at for those that were resolved lately
PAGES = ("en", "zh", "json", "maintenance")
LOGO_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}
LARGEST_LOGO = 512 * 1024
COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True)
class Rendered:
    """A page as bytes, plain and packed. `etag` is of its content but for the instant at which it was made."""

    body: bytes
    packed: bytes
    etag: str
    headers: dict[str, str]


class StatusPage:
    """`clock` gives the present instant, UTC. Renders again when the desk's change counter moved, or time did it."""

    def __init__(
        self, desk: Desk, settings: Settings, clock: Callable[[], datetime], folder: Path | None = None
    ) -> None:
        self.desk = desk
        self.clock = clock
        self.started_at = clock()
        self.folder = folder
        self._use(settings)
        self._lock = asyncio.Lock()
        self._rendered: dict[str, Rendered] = {}
        self._change = -1
        self._valid_until = self.started_at
        self._notices: dict[int, tuple[int, Notice | None]] = {}

    def _use(self, settings: Settings) -> None:
        self.settings = settings
        self.logo = _logo(settings, self.folder)
        self.languages = tuple(lang for lang in ("en", "zh") if lang in settings.shop.languages) or ("en",)

    async def reload(self, settings: Settings) -> None:
        self._use(settings)
        self._rendered, self._notices = {}, {}

    def routes(self) -> list[Route]:
        return [
            Route("/", self.page("en"), methods=["GET"]),
            Route("/zh", _to_chinese, methods=["GET"]),
            Route("/zh/", self.page("zh"), methods=["GET"]),
            Route("/api/v2/summary.json", self.page("json"), methods=["GET"]),
            Route("/api/v2/scheduled-maintenances.json", self.page("maintenance"), methods=["GET"]),
            Route("/incidents/{number}", _to_its_place, methods=["GET"]),
            Route("/logo", self.get_logo, methods=["GET"]),
            Route("/favicon.ico", _no_icon, methods=["GET"]),
        ]

    def page(self, kind: str) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            rendered = await self._current(kind)
            headers = {**rendered.headers, "ETag": rendered.etag}
            if request.headers.get("if-none-match") == rendered.etag:
                return Response(status_code=304, headers=headers)
            if "gzip" in request.headers.get("accept-encoding", ""):
                return Response(rendered.packed, headers={**headers, "Content-Encoding": "gzip"})
            return Response(rendered.body, headers=headers)

        return answer

    async def get_logo(self, request: Request) -> Response:
        if self.logo is None:
            return Response(status_code=404)
        data, media_type = self.logo
        policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"  # an SVG opened by itself runs nothing
        return Response(data, headers={**COMMON, "Content-Type": media_type, "Content-Security-Policy": policy})

    async def _current(self, kind: str) -> Rendered:
        if not self._stale():
            return self._rendered[kind]
        async with self._lock:  # a crowd waits for one rendering
            if self._stale():
                change, now = self.desk.changes, self.clock()
                board = await self.board(now)
                self._rendered = {page: self._render(page, board, now) for page in PAGES}
                self._change, self._valid_until = change, board.valid_until
                if (edge := announced.edge(maintenance_of(self.settings), now)) is not None:
                    self._valid_until = min(self._valid_until, edge)
            return self._rendered[kind]

    def _stale(self) -> bool:
        return not self._rendered or self._change != self.desk.changes or self.clock() >= self._valid_until

    async def board(self, now: datetime) -> Board:
        known = await self.desk.incidents(open_only=True)
        known += [item for item in await self.desk.incidents(limit=LOOK_BACK) if not item.open]
        practice = {drill["name"] for drill in await self.desk.drills() if drill["target"] == "practice"}
        incidents = [item for item in known if _may_show(item, now) and (item.drill is None or item.drill in practice)]
        fresh = {item.number: (item.seq, await self._notice(item)) for item in incidents}
        self._notices = fresh
        by_number = {item.number: item for item in known}
        targets = {item.number: _final(item, by_number) for item in incidents if item.merged_into is not None}
        notices = public.merged((notice for _, notice in fresh.values() if notice is not None), targets)
        return public.board(self.settings.services, notices, now)

    async def _notice(self, incident: Incident) -> Notice | None:
        seq, notice = self._notices.get(incident.number, (0, None))
        if seq == incident.seq:
            return notice
        spoken = public.notice(incident, await self.desk.timeline(incident.number))
        return spoken or public.automatic_notice(incident, self.settings.status_page.automatic)

    def _data(self, board: Board, now: datetime) -> dict[str, Any]:
        shop, page = self.settings.shop, self.settings.status_page
        public_services = [name for name, service in self.settings.services.items() if service.public]
        return summary(
            board,
            page.title or shop.name,
            url=page.public_url or self.desk.base_url,
            time_zone=shop.time_zone,
            started_at=self.started_at,
            now=now,
            planned=announced.announced(maintenance_of(self.settings), public_services, now),
        )

    def _render(self, kind: str, board: Board, now: datetime) -> Rendered:
        if kind in ("json", "maintenance"):
            document = self._data(board, now)
            if kind == "maintenance":
                document = {name: document[name] for name in ("page", "scheduled_maintenances")}
            body = json.dumps(document, ensure_ascii=False).encode()
            same = body
        else:
            context = self._context(kind)
            body = _template().render(board=board, **context).encode()
            same = repr((board.components, board.open, board.recent, kind)).encode()
        etag = f'W/"{sha256(same).hexdigest()[:20]}"'
        return Rendered(body, gzip.compress(body, 6, mtime=0), etag, _headers(kind))

    def _context(self, lang: str) -> dict[str, Any]:
        shop, page = self.settings.shop, self.settings.status_page
        words = WORDS[lang]
        return {
            "lang": lang,
            "html_lang": HTML_LANG[lang],
            "has_han": public.has_han,
            "words": words,
            "title": page.title or f"{shop.name} {words['title_suffix']}",
            "zone": ZoneInfo(shop.time_zone),
            "zone_name": shop.time_zone,
            "shop_url": shop.url,
            "languages": self.languages,
            "home": "./" if lang == "en" else "../",
            "logo": self.logo is not None,
            "css": _css(),
        }


def _may_show(incident: Incident, now: datetime) -> bool:
    return incident.resolved_at is None or now - incident.resolved_at < public.RECENT


def _final(incident: Incident, by_number: dict[int, Incident]) -> Incident:
    """Where it went on, in the end."""
    seen = {incident.number}
    while incident.merged_into in by_number and incident.merged_into not in seen:
        incident = by_number[incident.merged_into]
        seen.add(incident.number)
    return incident


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("status.html.j2")


@cache
def _css() -> str:
    return (TEMPLATES / "status.css").read_text(encoding="utf-8").strip()


def _headers(kind: str) -> dict[str, str]:
    shared = {**COMMON, "Cache-Control": "public, max-age=10", "Vary": "Accept-Encoding"}
    if kind in ("json", "maintenance"):
        # Public data, meant to be read by other pages too.
        return {**shared, "Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}
    digest = base64.b64encode(sha256(_css().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {**shared, "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}


def _logo(settings: Settings, folder: Path | None) -> tuple[bytes, str] | None:
    """The picture that `status_page.logo` names, from the workspace and from nowhere else."""
    if folder is None or not settings.status_page.logo:
        return None
    path = (folder / settings.status_page.logo).resolve()
    media_type = LOGO_TYPES.get(path.suffix.lower())
    if media_type is None or not path.is_relative_to(folder.resolve()) or not path.is_file():
        return None
    return (path.read_bytes(), media_type) if path.stat().st_size <= LARGEST_LOGO else None


async def _to_chinese(request: Request) -> Response:
    return RedirectResponse("/zh/", 308)


async def _to_its_place(request: Request) -> Response:
    """The address of an incident in messages; what nobody spoke about publicly has no place on the page."""
    number: str = request.path_params["number"]
    if not number.isascii() or not number.isdecimal():
        return Response(status_code=404)
    return RedirectResponse(f"../#incident-{number}", 302)


async def _no_icon(request: Request) -> Response:
    return Response(status_code=204, headers={"Cache-Control": "public, max-age=86400"})
