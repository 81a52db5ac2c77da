"""`shopwatch drill …`: the drills of the workspace and those that are shipped."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from probes.terminal import (
    NOT_WELL,
    REFUSED,
    UNREACHABLE,
    clean,
    emit_json,
    fail,
    json_option,
    local_time,
    table,
    workspace_dir,
)

if TYPE_CHECKING:
    from drills.model import Drill

LIBRARY = Path(__file__).parent / "library"
url_option = click.option(
    "--url", metavar="URL", help="The Shopwatch that watches. Default: $SHOPWATCH_URL, else http://127.0.0.1:8470."
)


def _drills() -> dict[str, tuple["Drill", Path]]:
    """By name: the shipped ones, and the workspace's own, which replace namesakes. Mistakes go to standard error."""
    from drills.loading import load_file
    from probes.files.mistakes import Mistake
    from probes.files.workspace import Workspace

    mistakes: list[Mistake] = []
    workspace = Workspace(workspace_dir())
    files = [*sorted(LIBRARY.glob("*.yaml")), *workspace.files("drills", ".yaml", ".yml")]
    found = {drill.name: (drill, path) for path in files for drill in load_file(path, workspace.env, mistakes)}
    for mistake in mistakes:
        if mistake.level == "error":
            click.echo(clean(str(mistake)), err=True)
    return dict(sorted(found.items()))


def _names(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in _drills() if name.startswith(incomplete)]


@click.group()
def drill() -> None:
    """Break things on purpose and grade the response.

    \b
    Example:
      shopwatch drill list
      shopwatch drill run payment-declines
    """


@drill.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the drills that can be run.

    \b
    Example:
      shopwatch drill list
    """
    from probes.duration import format_duration

    rows = []
    for name, (one, path) in _drills().items():
        faults = ", ".join(switch for fault in one.faults for switch in fault.shop or {})
        lease = format_duration(max(fault.lease for fault in one.faults))
        rows.append(
            {"drill": name, "title": one.title, "target": one.target, "faults": faults, "lease": lease, "path": path}
        )
    if as_json:
        emit_json(rows)
        return
    table(("DRILL", "TITLE", "TARGET", "FAULTS"), [(r["drill"], r["title"], r["target"], r["faults"]) for r in rows])


@drill.command()
@click.argument("name", shell_complete=_names)
@click.option(
    "--shop", "shop_url", metavar="URL", help="The practice shop. Default: $SHOP_URL, else http://127.0.0.1:8471."
)
@url_option
@json_option
def run(name: str, shop_url: str | None, url: str | None, as_json: bool) -> None:
    """Run a drill against the practice shop, and print its scorecard. Exit code 0: every expectation was met.

    The practice shop (`shopwatch practice`) and a Shopwatch that watches it have to be running.

    \b
    Example:
      shopwatch drill run payment-declines
    """
    import asyncio

    known = _drills()
    if name not in known:
        fail(f'there is no drill "{name}"; there are: {", ".join(known)}', REFUSED)
    say = (lambda text: None) if as_json else (lambda text: click.echo(clean(text), err=True))
    card = asyncio.run(_conduct(known[name][0], shop_url, url, say))
    if as_json:
        emit_json(card)
    else:
        from drills.report import print_scorecard

        print_scorecard(card)
    if card["verdict"] != "passed":
        raise SystemExit(NOT_WELL)


async def _conduct(one: "Drill", shop_url: str | None, url: str | None, say: Any) -> dict[str, Any]:
    """Conducts the drill; Ctrl-C and SIGTERM end it with the fault taken out."""
    import asyncio
    import signal

    from drills.conductor import Conductor
    from drills.errors import Refused
    from drills.target import practice_shop
    from incident.client import Answered, BadAddress, Client, Unreachable
    from runbooks.library import Library

    try:
        shop = practice_shop(shop_url)
        conductor = Conductor(one, Client(url), Library(workspace_dir()), shop, say)
        task = asyncio.ensure_future(conductor.run())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return (await task).to_json()
    except asyncio.CancelledError:
        fail("stopped: the fault is out", NOT_WELL)
    except BadAddress as error:
        fail(str(error))
    except Unreachable as error:
        fail(f"{error}. Start it with `shopwatch run`, or say where it is with --url.", UNREACHABLE)
    except (Refused, Answered) as error:
        fail(str(error), REFUSED)


@drill.command()
@click.argument("number", type=int, metavar="N", required=False)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write it as a page into this file.")
@url_option
@json_option
def report(number: int | None, html: Path | None, url: str | None, as_json: bool) -> None:
    """Show the scorecard of a drill that was run; without N, list them.

    \b
    Example:
      shopwatch drill report
      shopwatch drill report 3 --html drill-3.html
    """
    from incident.screen import Shopwatch

    runs = Shopwatch(url).get("/api/v1/drills")
    if number is None:
        _list_runs(runs, as_json)
        return
    found = next((run for run in runs if run["number"] == number), None)
    card = found and found["scorecard"]
    if not card:
        fail(f"drill {number} " + ("has no scorecard yet" if found else "was never run"), REFUSED)
    if html is not None:
        from drills.report import write_html

        try:
            write_html(card, html)
        except OSError as error:
            fail(f"{html}: {error.strerror}")
    if as_json:
        emit_json(card)
    elif html is None:
        from drills.report import print_scorecard

        print_scorecard(card)


def _list_runs(runs: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        emit_json(runs)
        return
    rows = [
        (r["number"], r["name"], local_time(r["opened_at"]), (r["scorecard"] or {}).get("verdict", "")) for r in runs
    ]
    table(("N", "DRILL", "STARTED", "VERDICT"), rows)
