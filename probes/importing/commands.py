"""`shopwatch probe import …`: a journey from what a browser or curl sent."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from probes.terminal import NOT_WELL, REFUSED, USAGE, clean, fail, workspace_dir

if TYPE_CHECKING:
    from collections.abc import Callable

    from probes.importing.draft import Draft
    from probes.importing.recording import Exchange

_name = click.option("--name", metavar="NAME", help="The journey's name. Default: from its host or file.")
_service = click.option(
    "--service", metavar="SERVICE", help="Default: the workspace's service that fits its addresses."
)
_output = click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Default: standard output."
)


@click.group("import")
def import_() -> None:
    """Make a journey from a recording, with secrets taken out.

    \b
    Example:
      shopwatch probe import har shop.har -o probes/checkout.yaml
      shopwatch probe import curl < copied.txt
    """


@import_.command("curl")
@click.argument("command", nargs=-1, metavar="'curl …'")
@_name
@_service
@_output
def import_curl(command: tuple[str, ...], name: str | None, service: str | None, output: Path | None) -> None:
    """From curl commands: as one quoted argument, as a FILE with several, or on standard input.

    Browsers' developer tools copy requests this way: Network, right click, Copy as cURL (bash). Nothing is sent.

    \b
    Example:
      shopwatch probe import curl 'curl -d q=shoes https://shop.example/search' -o probes/search.yaml
      shopwatch probe import curl copied.txt
    """
    from probes.importing.curl import read_curl

    text, source = _given(command)
    _import(lambda: read_curl(text), name, source, service, output)


@import_.command("har")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Keep only requests to it. May be repeated.")
@_name
@_service
@_output
def import_har(file: Path, hosts: tuple[str, ...], name: str | None, service: str | None, output: Path | None) -> None:
    """From a HAR file: record a visit with a browser's developer tools (Network, Save all as HAR with content).

    \b
    Example:
      shopwatch probe import har visit.har --host shop.example --name checkout -o probes/checkout.yaml
    """
    from probes.importing.har import read_har
    from probes.importing.noise import of_the_journey

    _import(lambda: of_the_journey(read_har(file), hosts), name or _plain(file.stem), file.name, service, output)


def _given(command: tuple[str, ...]) -> tuple[str, str]:
    """The text, and what to call it."""
    if not command or command == ("-",):
        return sys.stdin.read(8 << 20), "curl commands"
    if len(command) == 1:
        path = Path(command[0])
        if "\n" not in command[0] and len(command[0]) < 255 and path.is_file():
            return path.read_text("utf-8", "replace"), path.name
        return command[0], "a curl command"
    return shlex.join(command), "a curl command"


def _import(
    read: "Callable[[], list[Exchange]]", name: str | None, source: str, service: str | None, output: Path | None
) -> None:
    from probes.errors import ProbesError
    from probes.importing.build import build
    from probes.importing.writing import write

    try:
        exchanges = read()
        draft = build(exchanges, name=name or _plain(exchanges[0].host), source=source, services=_services())
    except ProbesError as error:
        fail(str(error), USAGE)
    draft.service = service or draft.service
    _hand_over(draft, write(draft), output)


def _hand_over(draft: "Draft", text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
    else:
        try:
            with output.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            fail(f"{output} is there already", REFUSED)
        except OSError as error:
            fail(f"{output} cannot be written: {error.strerror}", NOT_WELL)
        click.echo(f"{clean(str(output))}: journey {clean(draft.name)}, {len(draft.steps)} steps", err=True)
    if draft.exports:
        click.echo("\nSecrets were taken out. Set them before it runs:", err=True)
        for variable, what in draft.exports.items():
            click.echo(f"  export {variable}={shlex.quote(clean(what))}", err=True)
    sys.stdout.flush()


def _services() -> list[str]:
    """Of the workspace, if there is one; mistakes in it are no matter here."""
    from probes.files.yamlfile import load

    path = workspace_dir() / "shopwatch.yaml"
    documents = load(path, []) if path.is_file() else []
    data = documents[0].data if documents else None
    services = data.get("services") if isinstance(data, dict) else None
    return [str(name) for name in services] if isinstance(services, dict) else []


def _plain(text: str) -> str:
    return "-".join("".join(sign if sign.isalnum() else " " for sign in text.lower()).split())[:60] or "imported"
