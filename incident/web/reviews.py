"""Reviews over HTTP: as data, Markdown, a page, a picture; and what waits. Reference: docs/reviews.md."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from incident.desk import Desk
from incident.reviews.writing import LARGEST_TEMPLATE
from incident.web import api_models as models
from incident.web.api import _ERRORS, Caller, Number, Person

Lang = Annotated[Literal["en", "zh"] | None, Query(description="Of headings. Default: en.")]
_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
_SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


class Draft(BaseModel):
    """What to write a draft by. `template`: Jinja2, instead of the workspace's or the shipped one."""

    model_config = ConfigDict(extra="forbid")

    template: str | None = Field(default=None, min_length=1, max_length=LARGEST_TEMPLATE)
    lang: Literal["en", "zh"] | None = None


class ReviewsApi:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.router = APIRouter(prefix="/api/v1", responses=_ERRORS)
        add = self.router.add_api_route
        add("/reviews", self.listed, methods=["GET"], summary="Reviews that are due, and action items")
        path = "/incidents/{number}/review"
        add(path, self.show, methods=["GET"], summary="The review of an incident")
        add(path, self.publish, methods=["PUT"], response_model=models.IncidentShape, summary="Publish a review")
        add(f"{path}/draft", self.draft, methods=["POST"], summary="A draft by another template")
        add(f"{path}.html", self.page, methods=["GET"], summary="The review as a page", response_class=Response)
        add(f"{path}.svg", self.picture, methods=["GET"], summary="The incident as a picture", response_class=Response)

    async def listed(self, actor: Person) -> Any:
        return await self.desk.reviews.listed()

    async def show(self, number: Number, actor: Person, lang: Lang = None) -> Any:
        found = await self.desk.reviews.of(number, lang)
        return {**found.facts, "markdown": found.text}

    async def draft(self, number: Number, actor: Person, args: Draft) -> Any:
        found = await self.desk.reviews.of(number, args.lang, args.template)
        return {**found.facts, "markdown": found.text}

    async def publish(self, number: Number, actor: Caller, args: models.Review) -> Any:
        incident = await self.desk.perform("review", number, actor, args.given())
        return incident.to_json(self.desk.base_url)

    async def page(self, number: Number, actor: Person, lang: Lang = None) -> Response:
        found = await self.desk.reviews.of(number, lang)
        html, policy = await asyncio.to_thread(found.page)  # a second, where somebody published what is hard to read
        headers = {**_SAFE, "Content-Security-Policy": policy, "X-Frame-Options": "DENY"}
        return Response(html, media_type="text/html; charset=utf-8", headers=headers)

    async def picture(self, number: Number, actor: Person, lang: Lang = None) -> Response:
        drawn = await asyncio.to_thread((await self.desk.reviews.of(number, lang)).picture)
        return Response(drawn, media_type="image/svg+xml", headers={**_SAFE, "Content-Security-Policy": _SVG_POLICY})
