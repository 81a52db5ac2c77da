"""`shopwatch probe …`: see the journeys, run one by hand, run a prober on another machine."""

import re
import sys
from collections.abc import Callable
from contextlib import ExitStack
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from probes.examples.commands import example
from probes.importing.commands import import_
from probes.leftover_commands import leftovers
from probes.terminal import NOT_WELL, REFUSED, USAGE, emit_json, fail, json_option, workspace_dir

if TYPE_CHECKING:
    from probes.files.mistakes import Mistake
    from probes.files.secrets import Environment
    from probes.files.settings import Mutates, ShopSettings
    from probes.files.workspace import Workspace
    from probes.language.journey import Journey
    from probes.result import Result
    from probes.running.context import RunContext
    from probes.running.session import Hop

_NAME = re.compile(r"^journey:[ \t]*[\"']?([^\"'#\n]+)", re.MULTILINE)


@click.group()
def probe() -> None:
    """List and run journeys.

    \b
    Example:
      shopwatch probe list
      shopwatch probe run checkout --trace
    """


@probe.command("list")
@json_option
def list_journeys(as_json: bool) -> None:
    """Every journey of the workspace, and how its last run ended where a prober has run here.

    \b
    Example:
      shopwatch -w myshop probe list --json
    """
    from probes.screen import last_results, list_table

    workspace = workspace_here()
    journeys, mistakes = workspace.journeys()
    rows = last_results(workspace.dir / ".shopwatch", journeys)
    if as_json:
        emit_json(rows)
    else:
        list_table(rows)
    _say(mistakes)


def complete_name(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Journey names for the shell's completion: by their first line, without reading the files as YAML."""
    folder = Path(context.find_root().params.get("workspace") or ".") / "probes"
    texts = (path.read_text("utf-8", "replace") for path in sorted(folder.glob("*.y*ml")) if path.is_file())
    names = (found.strip() for text in texts for found in _NAME.findall(text))
    return [name for name in names if name.startswith(incomplete)]


@probe.command()
@click.argument("name", metavar="NAME", shell_complete=complete_name)
@click.option(
    "--trace", is_flag=True, help="Show every exchange, phase by phase, and the answer that a step failed on."
)
@click.option("--watch", "watching", is_flag=True, help="Run it again each time that a file has changed, until Ctrl-C.")
@click.option(
    "--mutates",
    type=click.Choice(["none", "cart", "authorize", "order"]),
    help="Write no deeper into the shop than this; `limits.mutates` may allow still less.",
)
@json_option
def run(name: str, trace: bool, watching: bool, mutates: "Mutates | None", as_json: bool) -> None:
    """Run one journey now, without a daemon. NAME may also be a file: FILE.yaml, or FILE.yaml#NAME.

    Exit code 0: up. 1: down or degraded. 2: the workspace or the journey has mistakes. 4: no such journey.

    \b
    Example:
      shopwatch -w myshop probe run checkout
      shopwatch probe run ./new-journey.yaml --trace --watch
    """
    from probes.screen import print_result, result_json

    if watching and as_json:
        fail("--json is one document, and --watch goes on", USAGE)
    if watching:
        _watch(name, trace, mutates)
    result, hops = _once(name, trace, mutates)
    if as_json:
        emit_json(result_json(result, hops if trace else None))
    else:
        print_result(result, hops)
    sys.exit(0 if result.outcome == "up" else NOT_WELL)


@probe.command()
@click.option("--report-to", required=True, metavar="URL", help="A Shopwatch, or an Alertmanager.")
@click.option(
    "--location", default="local", show_default=True, help="A label on every alert and result of this prober."
)
def serve(report_to: str, location: str) -> None:
    """Run all journeys on their intervals and report to another machine. Ends on Ctrl-C or SIGTERM.

    `shopwatch run` has a prober of its own; this one is for further places to look from. $SHOPWATCH_TOKEN holds the
    token of a source (`shopwatch token create`).

    \b
    Example:
      SHOPWATCH_TOKEN=… shopwatch -w myshop probe serve --location frankfurt --report-to https://shopwatch.example
    """
    from probes.prober.process import main

    sys.exit(main(workspace_dir(), report_to=report_to, location=location))


probe.add_command(leftovers)
probe.add_command(import_)
probe.add_command(example)


def _once(name: str, trace: bool, mutates: "Mutates | None") -> "tuple[Result, list[Hop]]":
    """The hops are there where the run is traced."""
    import asyncio

    from probes.language.levels import lower
    from probes.running.context import RunContext

    hops: list[Hop] = []
    with ExitStack() as stack:
        journey, state, environment, settings = _find(name, stack)
        limit = "order" if settings is None else settings.limits.mutates
        context = partial(
            RunContext, state, environment, mutates=lower(mutates, limit) if mutates else limit,
            measures={} if settings is None else settings.measures(),
        )  # fmt: skip
        result = asyncio.run(_run(journey, context, hops if trace else None))
    return result, hops


def _watch(name: str, trace: bool, mutates: "Mutates | None") -> NoReturn:
    from probes.screen import print_result
    from probes.watch_command import watch

    def once() -> "Result | None":
        try:
            result, hops = _once(name, trace, mutates)
        except click.ClickException as mistake:  # in a file: it may be mended
            mistake.show()
            return None
        print_result(result, hops)
        return result

    path = Path(name.partition("#")[0])
    try:
        watch(once, workspace_dir(), [path] if path.suffix in (".yaml", ".yml") else [])
    except KeyboardInterrupt:
        click.echo(err=True)
        sys.exit(0)


async def _run(journey: "Journey", make: "Callable[[], RunContext]", hops: "list[Hop] | None") -> "Result":
    from probes.running.runner import run_journey

    context = make()
    try:
        return await run_journey(journey, context, trace=None if hops is None else hops.append)
    finally:
        await context.aclose()


def _find(name: str, stack: ExitStack) -> "tuple[Journey, Path, Environment, ShopSettings | None]":
    """The journey, the state folder of its run, the environment that knows its secrets, and the settings, if any."""
    from probes.files.workspace import SETTINGS, Workspace, WorkspaceInvalid

    path, _, part = name.partition("#")
    if path.endswith((".yaml", ".yml")):
        workspace = Workspace(workspace_dir())
        journey = _in_file(Path(path), part, workspace.env)
        if not (workspace.dir / SETTINGS).exists():
            return journey, Path(stack.enter_context(_temporary())), workspace.env, None
    else:
        workspace = workspace_here()
        journey = _in_workspace(name, *workspace.journeys())
    try:
        return journey, workspace.state, workspace.env, workspace.settings()
    except WorkspaceInvalid as error:
        fail(str(error), USAGE)


def workspace_here() -> "Workspace":
    """The workspace, whatever its files say; fails where there is none."""
    from probes.files.workspace import SETTINGS, Workspace, WorkspaceInvalid

    workspace = Workspace(workspace_dir())
    if not (workspace.dir / SETTINGS).exists():
        try:
            workspace.settings()
        except WorkspaceInvalid as error:
            fail(str(error), USAGE)
    return workspace


def _temporary() -> Any:
    from tempfile import TemporaryDirectory

    return TemporaryDirectory(prefix="shopwatch-")


def _in_file(path: Path, name: str, environment: "Environment") -> "Journey":
    from probes.files.loading import load_file

    if not path.is_file():
        fail(f"{path}: there is no such file", REFUSED)
    mistakes: list[Mistake] = []
    journeys = load_file(path, environment, mistakes)
    chosen = [journey for journey in journeys if name in ("", journey.name)]
    if len(chosen) != 1:
        _stop_at_errors(mistakes)
        names = ", ".join(f"{path}#{journey.name}" for journey in journeys)
        fail(f"{path} holds {len(journeys)} journeys; say which one: {names}", USAGE if chosen else REFUSED)
    return _good(chosen[0], mistakes)


def _in_workspace(name: str, journeys: "list[Journey]", mistakes: "list[Mistake]") -> "Journey":
    """A mistake in another journey does not keep this one from being run."""
    found = next((journey for journey in journeys if journey.name == name), None)
    if found is None:
        _stop_at_errors(mistakes)
        close = get_close_matches(name, [journey.name for journey in journeys], 1)
        known = f" Did you mean {close[0]}?" if close else " `shopwatch probe list` shows those there are."
        fail(f"There is no journey {name!r}.{known}", REFUSED)
    return _good(found, [mistake for mistake in mistakes if found.file.name == Path(mistake.file).name])


def _good(journey: "Journey", mistakes: "list[Mistake]") -> "Journey":
    """Stops at its own errors; says those of the other journeys in its file, and all warnings."""
    rest = journey.file.read_text("utf-8", "replace").splitlines()[journey.line :]
    end = next((journey.line + at for at, line in enumerate(rest, start=1) if line.startswith("---")), sys.maxsize)
    _stop_at_errors([mistake for mistake in mistakes if journey.line <= mistake.line < end])
    _say(mistakes)
    return journey


def _stop_at_errors(mistakes: "list[Mistake]") -> None:
    from probes.files.mistakes import errors

    wrong = errors(mistakes)
    if wrong:
        fail("\n".join(str(mistake) for mistake in wrong), USAGE)


def _say(mistakes: "list[Mistake]") -> None:
    from probes.terminal import clean

    for mistake in mistakes:
        click.echo(clean(str(mistake)), err=True)
