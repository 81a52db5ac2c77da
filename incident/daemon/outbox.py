"""Sends what was committed with the events: one at a time on each channel, the channels side by side.

A delivery is marked as being sent before it is, and as delivered after; so a crash repeats at most that one, with the
same key.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta

import structlog

from incident.channels import Channel, DeliveryFailed, close_channels
from incident.core.deliveries import PAGE
from incident.daemon.bell import heard
from incident.daemon.dispatch import Dispatch
from incident.desk import Desk
from incident.errors import IncidentError
from incident.store.deliveries import DELIVERED, FAILED, Claimed

log = structlog.get_logger("incident.daemon.outbox")

_IDLE = 1.0  # seconds between looks at the most
_LONGEST_WAIT = 60.0  # of the back-off
_LONGEST_ASKED = 300.0  # of what another side may ask for: a page must not wait for an hour
_GIVE_UP = timedelta(hours=24)
_LEAST_ATTEMPTS = 10
_SEND_TIMEOUT = 30.0
_MARGIN = 15.0  # for noting what became of it, and for clocks of other machines
_GRACE = 1.0  # at shutdown, for what is being sent


def back_off(attempts: int, retry_after: float | None = None) -> float:
    """Seconds until the next attempt: 1, 2, 4 … 60; what the other side asks for, if that is longer."""
    wait = min(2.0 ** min(attempts - 1, 10), _LONGEST_WAIT)
    return max(wait, min(retry_after or 0.0, _LONGEST_ASKED))


class Outbox:
    """`run` works until it is cancelled; what is being sent then has a moment to end."""

    def __init__(self, desk: Desk, channels: Mapping[str, Channel], send_timeout: float = _SEND_TIMEOUT) -> None:
        self._desk = desk
        self._dispatch = Dispatch(desk, send_timeout + _MARGIN)
        self._channels: Mapping[str, Channel] = dict(channels)
        self._group: asyncio.TaskGroup | None = None
        self._send_timeout = send_timeout
        self._paused: dict[str, float] = {}  # channel: until when (monotonic) the other side wants no more

    @property
    def channels(self) -> Mapping[str, Channel]:
        """Those in use, by name."""
        return self._channels

    async def run(self) -> None:
        await self._dispatch.recover(self._channels)
        async with asyncio.TaskGroup() as self._group:
            for name in self._channels:
                self._group.create_task(self._work(name), name=f"outbox {name}")

    async def use(self, channels: Mapping[str, Channel]) -> None:
        """From now on these are the channels. What is being sent ends first; one that is no longer used is closed."""
        new = [name for name in channels if name not in self._channels]
        self._channels = dict(channels)
        if self._group is not None:
            for name in new:
                self._group.create_task(self._work(name), name=f"outbox {name}")
        self._desk.outbox_bell.ring()
        await self._dispatch.give_up(self._channels)

    async def close(self) -> None:
        """Lets go of the channels' connections, after `run` has ended."""
        await close_channels(self._channels)

    async def _work(self, name: str) -> None:
        bell = self._desk.outbox_bell.listen()
        channel = self._channels[name]
        try:
            while (now := self._channels.get(name)) is not None:
                if now is not channel:
                    await channel.close()
                    channel = now
                bell.clear()
                if not await self._tried(name, channel):
                    await heard(bell, _IDLE)
        finally:
            self._desk.outbox_bell.leave(bell)
            if self._channels.get(name) is not channel:
                await channel.close()

    async def _tried(self, name: str, channel: Channel) -> bool:
        """As `_one`; whatever goes wrong is said, and the channel goes on."""
        try:
            return await self._one(name, channel)
        except IncidentError as error:
            log.error("outbox cannot read its deliveries", channel=name, error=str(error))
        except Exception:
            log.exception("outbox broke", channel=name)
        return False

    async def drain(self) -> None:
        """Sends what is due now, and returns: for whoever has no running outbox, such as a test."""
        await self._dispatch.recover(self._channels)
        for name, channel in self._channels.items():
            while await self._one(name, channel):
                continue

    async def _one(self, name: str, channel: Channel) -> bool:
        """Sends the channel's next delivery. Returns whether there was one that was due."""
        if time.monotonic() < self._paused.get(name, 0.0):
            return False
        claimed = await self._dispatch.claim(name)
        if claimed is None:
            return False
        sending = asyncio.create_task(self._deliver(name, channel, claimed))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait([sending], timeout=_GRACE)
            sending.cancel()
            await asyncio.wait([sending])
            raise
        return True

    async def _deliver(self, name: str, channel: Channel, claimed: Claimed) -> None:
        failure = await self._send(channel, claimed)
        if failure is not None and failure.retry_after:
            self._paused[name] = time.monotonic() + min(failure.retry_after, _LONGEST_ASKED)
        while True:  # it is sent: forgetting that would send it again
            try:
                return await self._settle(name, claimed, failure)
            except IncidentError as error:
                log.error("outbox cannot note a delivery", channel=name, key=claimed.message.key, error=str(error))
                await asyncio.sleep(_IDLE)

    async def _send(self, channel: Channel, claimed: Claimed) -> DeliveryFailed | None:
        try:
            async with asyncio.timeout(self._send_timeout):
                await channel.send(claimed.message)
        except DeliveryFailed as error:
            return error
        except TimeoutError:
            return DeliveryFailed(f"no answer within {self._send_timeout:g} s")
        except Exception as error:
            log.exception("channel broke", key=claimed.message.key)
            return DeliveryFailed(f"{type(error).__name__}: {error}")
        return None

    async def _settle(self, name: str, claimed: Claimed, failure: DeliveryFailed | None) -> None:
        message = claimed.message
        if failure is None:
            await self._dispatch.settle(claimed, DELIVERED)
            return
        old = self._desk.now() - claimed.created_at > _GIVE_UP and claimed.attempts >= _LEAST_ATTEMPTS
        final = failure.permanent or old
        level = log.error if final or message.kind == PAGE else log.warning
        level("not delivered", channel=name, key=message.key, attempt=claimed.attempts, final=final, error=str(failure))
        if final:
            await self._dispatch.settle(claimed, FAILED, str(failure))
        else:
            wait = back_off(claimed.attempts, failure.retry_after)
            await self._dispatch.postpone(claimed, wait, str(failure))
