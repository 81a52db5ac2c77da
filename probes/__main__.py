"""`python -P -m probes`: the prober as the daemon starts it. People use `shopwatch probe serve`."""

import sys
from pathlib import Path

import click


@click.command()
@click.option(
    "-w", "--workspace", type=click.Path(path_type=Path), default=Path(), show_default=True, help="The workspace."
)
@click.option(
    "--report-to", required=True, metavar="URL", help="The daemon (or an Alertmanager), e.g. http://127.0.0.1:8470"
)
@click.option(
    "--location", default="local", show_default=True, help="A label on every alert and result of this prober."
)
@click.option("--supervised", is_flag=True, help="End when standard input closes.")
@click.option("--control", type=int, metavar="FD", help="A socket on which runs on demand are asked for.")
def prober(workspace: Path, report_to: str, location: str, supervised: bool, control: int | None) -> None:
    """Run the journeys of a workspace and report alerts and results. Needs $SHOPWATCH_TOKEN where the receiver does.

    Example: python -P -m probes -w myshop --report-to http://127.0.0.1:8470
    """
    from probes.prober.process import main

    sys.exit(main(workspace, report_to=report_to, location=location, supervised=supervised, control=control))


if __name__ == "__main__":
    prober()
