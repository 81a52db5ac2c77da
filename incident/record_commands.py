"""`shopwatch incident …`: merging and links, tasks and causes, evidence, redaction."""

import base64
import mimetypes
from pathlib import Path
from typing import Any

import click

from incident.arguments import number, number_argument, text_argument, when, why_argument
from incident.screen import Shopwatch, done, short, table_or, talking
from probes.terminal import USAGE, clean, emit_json, fail, local_time

HOW = ("related", "caused by", "causes", "duplicate of", "has duplicate")

other_argument = click.argument("other", metavar="OTHER", type=number)


@click.command()
@number_argument
@click.argument("into", metavar="INTO", type=number)
@talking
def merge(number: int, into: int, url: str | None, as_json: bool) -> None:
    """Let an incident go on in another: one trouble, one incident. `unmerge` takes it back.

    \b
    Example:
      shopwatch incident merge 13 12
    """
    done(Shopwatch(url).act(number, "merge", into=into), as_json, f"goes on in #{into}")


@click.command()
@number_argument
@talking
def unmerge(number: int, url: str | None, as_json: bool) -> None:
    """Let an incident that was merged stand on its own again, with its alerts.

    \b
    Example:
      shopwatch incident unmerge 13
    """
    done(Shopwatch(url).act(number, "unmerge"), as_json, "stands on its own again")


@click.command()
@number_argument
@click.argument("of", metavar="OF", type=number)
@talking
def duplicate(number: int, of: int, url: str | None, as_json: bool) -> None:
    """Close an incident as the same trouble as another, in which it goes on while that one is open.

    \b
    Example:
      shopwatch incident duplicate 13 12
    """
    done(Shopwatch(url).act(number, "duplicate", of=of), as_json, f"is a duplicate of #{of}")


@click.command()
@number_argument
@other_argument
@click.option("--how", type=click.Choice(HOW), default="related", show_default=True)
@talking
def link(number: int, other: int, how: str, url: str | None, as_json: bool) -> None:
    """Say that two incidents have to do with each other. Both show it.

    \b
    Example:
      shopwatch incident link 13 12 --how "caused by"
    """
    done(Shopwatch(url).act(number, "link", other=other, how=how), as_json, f"is {how} #{other}")


@click.command()
@number_argument
@other_argument
@talking
def unlink(number: int, other: int, url: str | None, as_json: bool) -> None:
    """Take such a link back.

    \b
    Example:
      shopwatch incident unlink 13 12
    """
    done(Shopwatch(url).act(number, "unlink", other=other), as_json, f"is no longer linked to #{other}")


@click.group()
def task() -> None:
    """What somebody is to do: now, or afterwards so that it does not come again (action items).

    \b
    Example:
      shopwatch incident task add 12 --owner lead --due 20m Call the payment provider
      shopwatch incident task list
    """


@task.command("add")
@number_argument
@text_argument
@click.option("--owner", metavar="WHO", help="Who does it.")
@click.option("--due", metavar="WHEN", type=when, help="Until when: 20m, tomorrow 09:00, ISO 8601.")
@click.option("--action-item", is_flag=True, help="For afterwards: kept in the review, and tracked until done.")
@talking
def task_add(
    *,
    number: int,
    words: tuple[str, ...],
    owner: str | None,
    due: str | None,
    action_item: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Write down what is to be done.

    \b
    Example:
      shopwatch incident task add 12 --action-item --owner lead --due "2026-12-01" Alert on the certificate's expiry
    """
    said = {"owner": owner, "due": due, "action_item": action_item or None}
    found = Shopwatch(url).act(number, "task", text=" ".join(words), **said)
    done(found, as_json, f"task {found['tasks'][-1]['task']} noted")


@task.command("change")
@number_argument
@click.argument("task_number", metavar="TASK")
@why_argument
@click.option("--owner", metavar="WHO")
@click.option("--due", metavar="WHEN", type=when)
@talking
def task_change(
    *,
    number: int,
    task_number: str,
    words: tuple[str, ...],
    owner: str | None,
    due: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Change its text, owner or due time.

    \b
    Example:
      shopwatch incident task change 12 1 --owner second
    """
    said = {"task": task_number, "text": " ".join(words) or None, "owner": owner, "due": due}
    done(Shopwatch(url).act(number, "task_change", **said), as_json, f"task {clean(task_number)} changed")


@task.command("done")
@number_argument
@click.argument("task_number", metavar="TASK")
@click.option("--undone", is_flag=True, help="It is not done after all.")
@talking
def task_done(number: int, task_number: str, undone: bool, url: str | None, as_json: bool) -> None:
    """Say that it is done.

    \b
    Example:
      shopwatch incident task done 12 1
    """
    found = Shopwatch(url).act(number, "task_done", task=task_number, undone=undone or None)
    done(found, as_json, f"task {clean(task_number)} is {'not done after all' if undone else 'done'}")


@task.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are done, too.")
@talking
def task_list(everything: bool, url: str | None, as_json: bool) -> None:
    """List the tasks and action items of all incidents, the first due first.

    \b
    Example:
      shopwatch incident task list
    """
    incidents = Shopwatch(url).get("/api/v1/incidents", all="true")
    found = [{"incident": one["number"], **item} for one in incidents for item in one["tasks"]]
    found = [item for item in found if everything or item["done_at"] is None]
    found.sort(key=lambda item: (item["due"] is None, item["due"] or "", item["incident"]))
    if as_json:
        emit_json(found)
        return
    table_or(("INCIDENT", "TASK", "KIND", "OWNER", "DUE", "DONE", "WHAT"), [_task_row(item) for item in found], "None.")


def _task_row(item: dict[str, Any]) -> tuple[str, ...]:
    due = local_time(item["due"]) if item["due"] else ""
    finished = local_time(item["done_at"]) if item["done_at"] else ""
    kind = item["kind"].replace("_", " ")
    return (f"#{item['incident']}", item["task"], kind, item["owner"] or "", due, finished, short(item["text"]))


@click.command()
@number_argument
@click.argument("name", metavar="NAME")
@talking
def runbook(number: int, name: str, url: str | None, as_json: bool) -> None:
    """Say that you follow a runbook, so that others and the review know.

    \b
    Example:
      shopwatch incident runbook 12 payment-channel-failure
    """
    done(Shopwatch(url).act(number, "runbook", name=name), as_json, f"the runbook {name} is followed")


@click.command()
@number_argument
@text_argument
@talking
def cause(number: int, words: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Name a root cause, in the same few words each time: that is how a repeat is recognised.

    \b
    Example:
      shopwatch incident cause 12 Expired certificate
    """
    done(Shopwatch(url).act(number, "cause", text=" ".join(words)), as_json, "root cause noted")


@click.command()
@number_argument
@why_argument
@click.option("--for", "lasts", metavar="DURATION", default="2h", show_default=True, help="Such as 30m or 2h.")
@talking
def silence(number: int, words: tuple[str, ...], lasts: str, url: str | None, as_json: bool) -> None:
    """Hold back what the incident's alerts have in common, for a while: they open nothing and page nobody.

    `shopwatch silence` has more: other matchers, recurring silences, ending one.

    \b
    Example:
      shopwatch incident silence 12 --for 1h The provider is at work on it
    """
    from probes.duration import parse_duration

    try:
        seconds = parse_duration(lasts)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    found = Shopwatch(url).act(number, "silence", **{"for": seconds, "text": " ".join(words) or None})
    done(found, as_json, f"what its alerts have in common is silenced for {clean(lasts)}")


@click.command()
@number_argument
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@talking
def attach(number: int, file: Path, url: str | None, as_json: bool) -> None:
    """Attach a file of at most 1 MiB: a screenshot, a log. The failing run of a journey is attached by itself.

    \b
    Example:
      shopwatch incident attach 12 screenshot.png
    """
    content = base64.b64encode(file.read_bytes()).decode()
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    body = {"name": file.name, "media_type": kind, "content": content}
    found = Shopwatch(url).call("POST", f"/api/v1/incidents/{number}/attachments", body)
    done(found, as_json, f"{clean(file.name)} attached")


@click.command()
@number_argument
@click.argument("key", metavar="[ATTACHMENT]", required=False)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: its own name, here.")
@talking
def evidence(number: int, key: str | None, output: Path | None, url: str | None, as_json: bool) -> None:
    """List what is attached, or save one of them.

    \b
    Example:
      shopwatch incident evidence 12
      shopwatch incident evidence 12 3f2a9c0d11e4b7aa -o run.json
    """
    client = Shopwatch(url)
    attached = client.get(f"/api/v1/incidents/{number}")["attachments"]
    if key is not None:
        chosen = next((item for item in attached if item["attachment"].startswith(key)), None)
        if chosen is None:
            fail(f"#{number} has no attachment {key!r}: `shopwatch incident evidence {number}` lists them", USAGE)
        path = output or Path(Path(chosen["name"]).name)
        if output is None and path.exists():
            fail(f"{path} is there already: choose another name with -o", USAGE)
        path.write_bytes(client.download(f"/api/v1/incidents/{number}/attachments/{chosen['attachment']}"))
        click.echo(f"Saved {clean(str(path))}.")
        return
    if as_json:
        emit_json(attached)
        return
    rows = [(item["attachment"], item["name"], str(item["size"]), item["run"] or "") for item in attached]
    table_or(("ATTACHMENT", "NAME", "BYTES", "OF RUN"), rows, "Nothing is attached.")


@click.command()
@number_argument
@click.argument("seq", metavar="EVENT", type=click.IntRange(1))
@why_argument
@talking
def redact(number: int, seq: int, words: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Blank an event that should not have been written, such as a customer's name. It cannot be undone.

    That it was done, and by whom, is on the timeline. What channels have received already stays there. Admins only.

    \b
    Example:
      shopwatch incident redact 12 7 A card number
    """
    found = Shopwatch(url).act(number, "redact", seq=seq, text=" ".join(words) or None)
    done(found, as_json, f"event {seq} is blank")
