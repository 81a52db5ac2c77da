"""`tcp`: connects, sends what it is told to, and waits for what it expects to hear."""

import asyncio

from probes.http import TransportError
from probes.http.channel import Channel
from probes.language.kinds import Step
from probes.language.matchers import Matcher
from probes.result import Reason
from probes.running.measured import Measured
from probes.running.run import Run
from probes.running.targets import address, connect

MOST = 64 << 10  # bytes of a banner
LISTEN_S = 5.0  # the longest that a server which says something else is listened to, where the step sets no timeout


async def perform(step: Step, run: Run, deadline: float) -> Measured:
    assert step.tcp is not None
    host, port = address(step.tcp, run)
    run.command = ["nc", "-v", "-w", "5", host, str(port)]
    channel = await connect(run, (host, port), deadline, None)
    try:
        if step.send is not None:
            channel.write(run.text(step.send).encode("utf-8", "replace"))
        wanted = [expect.body for expect in (step.expect, step.until) if expect is not None and expect.body is not None]
        if not wanted:
            return Measured(text="")
        if step.timeout is None:
            deadline = min(deadline, asyncio.get_running_loop().time() + LISTEN_S)
        return Measured(text=await _listen(run, channel, wanted, deadline))
    finally:
        channel.close()


class _Listener:
    """Takes what comes, up to MOST bytes."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.over = False
        self.news = asyncio.Event()

    def received(self, data: bytes) -> bool:
        self.heard += data[: MOST - len(self.heard)]
        self.over = self.over or len(self.heard) >= MOST
        self.news.set()
        return not self.over

    def ended(self, error: OSError | None) -> None:
        self.over = True
        self.news.set()


async def _listen(run: Run, channel: Channel, wanted: list[Matcher], deadline: float) -> str:
    """Until it is what is wanted, or the server has said all, or time is up. Raises TransportError where none came."""
    listener = _Listener()
    channel.receiver = listener
    text = ""
    try:
        async with asyncio.timeout_at(deadline):
            while not listener.over:
                await listener.news.wait()
                listener.news.clear()
                text = listener.heard.decode("utf-8", "replace")
                now = run.context.now()
                if all(matcher.judge(text, 1, run.values, now) is None for matcher in wanted):
                    break
    except TimeoutError:
        if not listener.heard:
            raise TransportError(Reason.TIMEOUT, "connected, but the server said nothing") from None
    return listener.heard.decode("utf-8", "replace")
