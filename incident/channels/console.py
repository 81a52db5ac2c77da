"""The terminal in which Shopwatch runs: one line for each message."""

import asyncio
import sys
from typing import TextIO

from incident.channels import Context, DeliveryFailed
from incident.core.deliveries import PAGE, Message
from incident.settings import Channel as ChannelSettings
from probes.terminal import clean


class Console:
    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def send(self, message: Message) -> None:
        word = "PAGE  " if message.kind == PAGE else "update"
        line = clean(f"{message.at.astimezone():%H:%M:%S} {word} {message.text}")
        await asyncio.to_thread(self._write, line)  # a terminal that is held (Ctrl-S) must not hold the rest

    def _write(self, line: str) -> None:
        stream = self._stream or sys.stdout
        try:
            stream.write(line.encode(stream.encoding or "utf-8", "replace").decode(stream.encoding or "utf-8") + "\n")
            stream.flush()
        except (OSError, ValueError) as error:
            raise DeliveryFailed(f"the terminal is gone: {error}", permanent=True) from error

    async def close(self) -> None:
        return


def build(name: str, spec: ChannelSettings, context: Context) -> Console:
    return Console()
