"""The practice carrier: parcels are registered with it, and its feed tells of their scans as time passes."""

import json
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drills.practice.switch_api import SwitchApi
from drills.practice.switches import Switchboard

STAGES = (("Picked", 1.0), ("Shipped", 2.0), ("Out for delivery", 10.0), ("Delivered", 20.0))
"""What happens to a parcel, and how long after it was registered, in seconds at pace 1."""
MOST_PARCELS = 5000
MOST_SCANS = 20000


@dataclass(slots=True)
class Parcel:
    """`told`: how many of its stages the feed has told of. Instants are Unix times."""

    id: str
    reference: str
    registered_at: float
    told: int = 0


class Carrier:
    """Parcels move by the clock alone: what is due is found when the feed is asked for."""

    def __init__(self, board: Switchboard, pace: float = 1.0, clock: Callable[[], float] = time.time) -> None:
        self.board = board
        self.pace = pace
        self.clock = clock
        self.parcels: OrderedDict[str, Parcel] = OrderedDict()
        self._by_reference: dict[str, Parcel] = {}
        self.scans: deque[dict[str, Any]] = deque(maxlen=MOST_SCANS)
        self._next = 1

    def register(self, reference: str) -> Parcel:
        """The parcel for a reference: asked twice it is the same one."""
        known = self._by_reference.get(reference)
        if known is not None:
            return known
        parcel = Parcel(f"P{uuid.uuid4().hex[:10].upper()}", reference, self.clock())
        self.parcels[parcel.id] = self._by_reference[reference] = parcel
        while len(self.parcels) > MOST_PARCELS:
            self.recall(next(iter(self.parcels)))
        return parcel

    def recall(self, parcel_id: str) -> None:
        """The parcel goes back: it has no further scans."""
        parcel = self.parcels.pop(parcel_id, None)
        if parcel is not None:
            del self._by_reference[parcel.reference]

    def feed(self, since: int) -> dict[str, Any]:
        """Scans with a sequence number above `since`, oldest first, and the number to ask with next."""
        self._advance()
        new = list(takewhile(lambda scan: scan["seq"] > since, reversed(self.scans)))
        return {"scans": new[::-1], "next": self._next - 1}

    def _advance(self) -> None:
        now = self.clock()
        frozen = self.board.setting("carrier_frozen")
        horizon = min(now - self.board.number("carrier_lag"), frozen.since if frozen else now)
        due = []
        for parcel in self.parcels.values():
            while parcel.told < len(STAGES):
                status, after = STAGES[parcel.told]
                at = parcel.registered_at + after * self.pace
                if at > horizon:
                    break
                due.append((at, parcel, status))
                parcel.told += 1
        for at, parcel, status in sorted(due, key=lambda scan: scan[0]):
            self.scans.append(
                {"seq": self._next, "parcel": parcel.id, "reference": parcel.reference, "status": status, "at": at}
            )
            self._next += 1


class CarrierApi:
    def __init__(self, carrier: Carrier, key: str) -> None:
        self.carrier = carrier
        self.key = key

    def _known(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {self.key}"

    async def register(self, request: Request) -> Response:
        if not self._known(request):
            return JSONResponse({"error": "unknown customer"}, 401)
        try:
            reference = str(json.loads(await request.body())["reference"])
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "reference is needed"}, 400)
        parcel = self.carrier.register(reference)
        return JSONResponse({"id": parcel.id, "reference": parcel.reference}, 201)

    async def recall(self, request: Request) -> Response:
        if not self._known(request):
            return JSONResponse({"error": "unknown customer"}, 401)
        self.carrier.recall(request.path_params["id"])
        return JSONResponse({"recalled": request.path_params["id"]})

    async def feed(self, request: Request) -> Response:
        if not self._known(request):
            return JSONResponse({"error": "unknown customer"}, 401)
        since = request.query_params.get("since", "0")
        if not (since.isascii() and since.isdigit()):
            return JSONResponse({"error": "since is a number that the feed gave before"}, 400)
        return JSONResponse(self.carrier.feed(int(since)))


def create_app(*, token: str, key: str, pace: float = 1.0) -> Starlette:
    board = Switchboard("carrier")
    api = CarrierApi(Carrier(board, pace), key)

    async def ready(_: Request) -> Response:
        return JSONResponse({"service": "carrier"})

    routes = [
        Route("/-/ready", ready),
        Route("/shipments", api.register, methods=["POST"]),
        Route("/shipments/{id}/recall", api.recall, methods=["POST"]),
        Route("/feed", api.feed),
        *SwitchApi(board, token).routes(),
    ]
    return Starlette(routes=routes)
