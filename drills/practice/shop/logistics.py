"""Keeps orders in step with the carrier: parcels are registered, and the feed's scans move orders on."""

import asyncio
import contextlib
from datetime import UTC, datetime

from drills.practice.calling import CallFailed
from drills.practice.shop.model import FORWARD, Order, Scan
from drills.practice.shop.neighbours import Carrier
from drills.practice.shop.store import Store

EVERY = 0.5  # seconds


class Synchroniser:
    def __init__(self, store: Store, carrier: Carrier) -> None:
        self.store = store
        self.carrier = carrier
        self._since = 0

    async def run(self) -> None:
        """Until cancelled. A carrier that fails is asked again; the page says when it last worked."""
        while True:
            with contextlib.suppress(CallFailed):
                await self.step()
            await asyncio.sleep(EVERY)

    async def step(self) -> None:
        """Raises CallFailed."""
        for order in list(self.store.orders.values()):
            if order.parcel is None and order.in_motion:
                order.parcel = await self.carrier.register(self.store.reference(order))
        scans, self._since = await self.carrier.feed(self._since)
        for scan in scans:
            self._apply(scan["reference"], Scan(scan["status"], datetime.fromtimestamp(scan["at"], UTC)))
        self.store.synced_at = datetime.now(UTC)

    def _apply(self, reference: str, scan: Scan) -> None:
        self.store.newest_scan = max(self.store.newest_scan or scan.at, scan.at)
        order = self.store.order_of(reference)
        if order is None:
            return
        order.scans.append(scan)
        if order.in_motion and _rank(scan.status) > _rank(order.state):
            order.move(scan.status, scan.at)


def _rank(state: str) -> int:
    return FORWARD.index(state)


def tracking_of(order: Order, store: Store) -> dict[str, object]:
    """What the order's page and JSON show of the carrier: the last sync, the order's scans, the newest of them."""
    scans = [{"status": scan.status, "at": scan.at.isoformat()} for scan in order.scans]
    return {
        "parcel": order.parcel,
        "synced_at": store.synced_at.isoformat() if store.synced_at else None,
        "newest_scan": scans[-1] if scans else None,
        "scans": scans,
    }
