"""The connections of one shopper, by origin."""

from probes.http.channel import Channel
from probes.http.url import Origin


class Pool:
    """A channel is taken, and put back or closed; `close` ends those in use as well."""

    def __init__(self) -> None:
        self._idle: dict[Origin, list[Channel]] = {}
        self._busy: set[Channel] = set()

    def take(self, origin: Origin) -> Channel | None:
        """An idle channel that its peer has not closed, or None."""
        idle = self._idle.get(origin)
        while idle:
            channel = idle.pop()
            if channel.still_usable():
                self._busy.add(channel)
                return channel
        return None

    def add(self, channel: Channel) -> None:
        """A new channel, in use from now on."""
        self._busy.add(channel)

    def put_back(self, origin: Origin, channel: Channel) -> None:
        channel.receiver = None
        self._busy.discard(channel)
        self._idle.setdefault(origin, []).append(channel)

    def discard(self, channel: Channel) -> None:
        self._busy.discard(channel)
        channel.close()

    def close(self) -> None:
        for channel in self._busy:
            channel.close()
        for idle in self._idle.values():
            for channel in idle:
                channel.close()
        self._busy.clear()
        self._idle.clear()
