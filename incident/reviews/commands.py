"""`shopwatch incident review` and `reviews`."""

import sys
from pathlib import Path
from typing import Any

import click

from incident.arguments import number_argument
from incident.screen import Shopwatch, done, short, table_or, talking
from probes.terminal import USAGE, clean, emit_json, fail, local_time

_FILE = click.Path(dir_okay=False, allow_dash=True, path_type=Path)
LARGEST = 400_000  # bytes of a file that is read


@click.command()
@number_argument
@click.option("--md", type=_FILE, help="Write the Markdown there.")
@click.option("--html", type=_FILE, help="Write a page there that needs nothing else.")
@click.option("--svg", type=_FILE, help="Write the picture there.")
@click.option("--lang", type=click.Choice(("en", "zh")), help="Of the headings. Default: en.")
@click.option("--template", type=_FILE, help="Write a draft by this template.")
@click.option("--publish", type=_FILE, help="Put this Markdown into the record, as the review.")
@talking
def review(
    *,
    number: int,
    md: Path | None,
    html: Path | None,
    svg: Path | None,
    lang: str | None,
    template: Path | None,
    publish: Path | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Show or write the review of an incident: what happened, what it cost, what is to be learnt.

    Until one is published it is a draft with parts to fill in; afterwards it is what was published, with fresh numbers.

    \b
    Example:
      shopwatch incident review 12 --md review.md --html review.html
      shopwatch incident review 12 --publish review.md
    """
    client = Shopwatch(url)
    path = f"/api/v1/incidents/{number}/review"
    if publish is not None:
        found = client.call("PUT", path, {"text": _read(publish)})
        done(found, as_json, f"review published, version {found['review']['version']}")
        return
    query = f"?lang={lang}" if lang else ""
    if md is not None or as_json or not (html or svg):
        found = _found(client, path, template, lang)
        if as_json:
            emit_json(found)
        elif md is None:
            click.echo("\n".join(clean(line) for line in found["markdown"].splitlines()))
        if md is not None:
            _write(md, found["markdown"].encode(), as_json)
    for file, kind in ((html, "html"), (svg, "svg")):
        if file is not None:
            _write(file, client.download(f"{path}.{kind}{query}"), as_json)


def _found(client: Shopwatch, path: str, template: Path | None, lang: str | None) -> Any:
    if template is None:
        return client.get(path, lang=lang)
    body = {"template": _read(template), "lang": lang}
    return client.call("POST", f"{path}/draft", {key: value for key, value in body.items() if value is not None})


def _read(path: Path) -> str:
    try:
        if str(path) == "-":
            raw = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with path.open("rb") as file:
                raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            fail(f"{path} has more than {LARGEST} bytes", USAGE)
        return raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path} cannot be read: {error}", USAGE)


def _write(path: Path, content: bytes, quiet: bool) -> None:
    try:
        if str(path) == "-":
            sys.stdout.buffer.write(content)
            return
        path.write_bytes(content)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}", USAGE)
    if not quiet:
        click.echo(f"Wrote {clean(str(path))}.")


@click.command()
@click.option("--all", "everything", is_flag=True, help="Those with nothing left to do, too.")
@talking
def reviews(everything: bool, url: str | None, as_json: bool) -> None:
    """List the reviews that are due or overdue, and the action items that are not done.

    \b
    Example:
      shopwatch incident reviews
    """
    found = [row for row in Shopwatch(url).get("/api/v1/reviews") if everything or _waits(row)]
    if as_json:
        emit_json(found)
        return
    rows = [
        (f"#{row['number']}", row["severity"], row["state"], _when(row["due_at"]), _items(row), short(row["title"], 40))
        for row in found
    ]
    table_or(("INCIDENT", "SEVERITY", "REVIEW", "DUE", "ACTION ITEMS", "TITLE"), rows, "Nothing waits.")


def _waits(row: dict[str, Any]) -> bool:
    return row["state"] in ("due", "overdue") or any(item["state"] != "done" for item in row["action_items"])


def _when(instant: str | None) -> str:
    return local_time(instant) if instant else ""


def _items(row: dict[str, Any]) -> str:
    left = [item for item in row["action_items"] if item["state"] != "done"]
    late = sum(item["state"] == "overdue" for item in left)
    return f"{len(left)} open" + (f", {late} overdue" if late else "") if left else ""
