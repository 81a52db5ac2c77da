"""`shopwatch demo`."""

import asyncio
import signal

import click

from probes.terminal import NOT_WELL, USAGE, fail


@click.command()
@click.option("--once", is_flag=True, help="End after the first drill; exit code 0 only if it passed.")
@click.option(
    "--port", type=click.IntRange(0, 65000), default=8470, show_default=True,
    help="Of Shopwatch; the practice shop and its neighbours take the three after it. 0 takes free ones.",
)  # fmt: skip
def demo(once: bool, port: int) -> None:
    """See it all in a minute: a practice shop, its journeys, a drill that breaks payment, and the incident.

    Everything runs on this machine and ends with Ctrl-C; what stays is the workspace that it names.

    \b
    Example:
      shopwatch demo
      shopwatch demo --once --port 9470
    """
    from drills.errors import DrillsError
    from drills.practice.serving import PortInUse

    try:
        passed = asyncio.run(_play(port, once))
    except BrokenPipeError:  # nobody reads any more: cli.py knows what to do
        raise
    except (PortInUse, OSError) as error:
        fail(str(error), USAGE)
    except DrillsError as error:
        fail(str(error), NOT_WELL)
    if not passed:
        raise SystemExit(NOT_WELL)


async def _play(port: int, once: bool) -> bool:
    """As `play`; Ctrl-C and SIGTERM end it, which is how a demo without --once ends well."""
    from drills.demo.stage import play

    task = asyncio.ensure_future(play(port, once=once))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return not once
