"""`shopwatch runbook …`: needs no running Shopwatch, only the files."""

from typing import TYPE_CHECKING

import click

from probes.terminal import REFUSED, clean, emit_json, fail, interactive, json_option, table, workspace_dir

if TYPE_CHECKING:
    from runbooks.library import Library


def _library() -> "Library":
    """The workspace's runbooks; mistakes in its files are said on standard error, and the others are still shown."""
    from runbooks.library import Library

    library = Library(workspace_dir())
    for mistake in library.mistakes:
        if mistake.level == "error":
            click.echo(clean(str(mistake)), err=True)
    return library


def _names(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in _library().runbooks if name.startswith(incomplete)]


@click.group()
def runbook() -> None:
    """Find and read runbooks: what an alert means, and what to do about it.

    \b
    Example:
      shopwatch runbook list
      shopwatch runbook show payment-channel-failure
    """


@runbook.command("list")
@click.argument("labels", nargs=-1, metavar="[LABEL=VALUE]...")
@json_option
def list_(labels: tuple[str, ...], as_json: bool) -> None:
    """List the runbooks; with labels, those that such an alert would open, the best first.

    \b
    Example:
      shopwatch runbook list
      shopwatch runbook list service=payment alertname=JourneyDown
    """
    from datetime import UTC, datetime

    library = _library()
    pairs = dict(_pair(label) for label in labels)
    found = library.for_alert(pairs) if pairs else list(library.runbooks.values())
    if as_json:
        emit_json([item.to_json() for item in found])
        return
    today = datetime.now(UTC).date()
    table(
        ["RUNBOOK", "TITLE", "REVIEWED", "FROM"],
        [
            (
                r.name,
                r.head.title,
                _reviewed(r.head.reviewed, r.review_overdue(today)),
                "shipped" if r.shipped else r.path,
            )
            for r in found
        ],
    )


def _pair(label: str) -> tuple[str, str]:
    name, equals, value = label.partition("=")
    if not equals:
        fail(f'"{label}" is not LABEL=VALUE, such as service=payment')
    return name, value


def _reviewed(day: object, overdue: bool) -> str:
    return "" if day is None else f"{day}" + (" (overdue)" if overdue else "")


@runbook.command()
@click.argument("name", shell_complete=_names)
@click.option("--section", metavar="HEADING", help="Only this section, such as Mitigation.")
@json_option
def show(name: str, section: str | None, as_json: bool) -> None:
    """Show a runbook, formatted in a terminal and as Markdown when piped.

    \b
    Example:
      shopwatch runbook show payment-channel-failure
      shopwatch runbook show login-failure --section Mitigation
    """
    from runbooks.errors import NoSuchRunbook

    try:
        found = _library().get(name)
    except NoSuchRunbook as error:
        fail(str(error), REFUSED)
    sections = {title.lower(): (title, text) for title, text in found.sections.items()}
    if section is not None and section.lower() not in sections:
        fail(f'{name} has no section "{section}"; it has {", ".join(found.sections)}', REFUSED)
    chosen = [sections[section.lower()]] if section is not None else list(found.sections.items())
    if as_json:
        updates = [update.model_dump() for update in found.updates]
        emit_json(found.to_json() | {"sections": dict(chosen), "updates": updates})
        return
    head = f"# {found.head.title}" + (f" · {found.head.title_zh}" if found.head.title_zh else "")
    text = "\n\n".join([head, *(f"## {title}\n\n{body}" for title, body in chosen)])
    _print(clean(text, keep="\n"))


def _print(markdown: str) -> None:
    if not interactive():
        click.echo(markdown)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(markdown))
