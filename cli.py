"""The command line: names every command, and imports the module of one only when that one is called."""

import os
import sys
from importlib import import_module
from typing import Any

import click

COMMANDS = {  # name: (module, attribute, one line of help)
    "demo": ("drills.demo.command", "demo", "See it all in a minute: a practice shop, a drill, an incident."),
    "init": ("incident.commands", "init", "Write a workspace to start from."),
    "check": ("drills.check_commands", "check", "Validate every file of the workspace."),
    "schema": ("drills.check_commands", "schema", "Print the JSON Schema of a kind of file, for editors."),
    "run": ("incident.commands", "run", "Start Shopwatch: probes, alerts, incidents, status page."),
    "probe": ("probes.commands", "probe", "List and run journeys."),
    "alert": ("incident.alert_commands", "alert", "See what is firing."),
    "silence": ("incident.silence_commands", "silence", "Keep alerts quiet for a while."),
    "maintenance": ("incident.silence_commands", "maintenance", "See the maintenance windows."),
    "incident": ("incident.commands", "incident", "Work on incidents."),
    "runbook": ("runbooks.commands", "runbook", "Find and read runbooks."),
    "drill": ("drills.commands", "drill", "Break things on purpose and grade the response."),
    "token": ("incident.token_commands", "token", "Let people and alert sources in."),
    "export": ("incident.observing.commands", "export", "Rules for Prometheus and a dashboard for Grafana."),
    "db": ("incident.db_commands", "db", "Look after the database: migrate, back up, export, import."),
    "practice": ("drills.practice.command", "practice", "Start the practice shop alone, to try journeys on."),
}

_RECORD = "merge unmerge duplicate link unlink task cause runbook silence attach evidence redact"

ELSEWHERE = {  # commands of a group that live in another module: group: {name: (module, attribute)}
    "incident": {
        **{name: ("incident.record_commands", name) for name in _RECORD.split()},
        **{name: ("incident.reviews.commands", name) for name in ("review", "reviews")},
    },
    "probe": {
        "locations": ("incident.location_commands", "locations"),
        "show": ("incident.history.commands", "show"),
    },
}

SHORT_FORMS = ("ack", "note", "update", "assign", "sev", "resolve", "reopen", "timeline")  # of `incident …`


class Composed(click.Group):
    """A group with commands besides its own, which are imported when they are called or listed."""

    def __init__(self, group: click.Group, elsewhere: dict[str, tuple[str, str]]) -> None:
        super().__init__(group.name, group.commands, callback=group.callback, params=group.params, help=group.help)
        self.elsewhere = elsewhere

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*self.commands, *self.elsewhere])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.elsewhere:
            module, attribute = self.elsewhere[cmd_name]
            command: click.Command = getattr(import_module(module), attribute)
            return command
        return super().get_command(ctx, cmd_name)


class Lazy(click.Group):
    """`--help` prints from the table above, so it costs no more than click itself."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module, attribute, _ = COMMANDS[cmd_name]
            command: click.Command = getattr(import_module(module), attribute)
            if cmd_name in ELSEWHERE and isinstance(command, click.Group):
                return Composed(command, ELSEWHERE[cmd_name])
            return command
        if cmd_name in SHORT_FORMS:
            group: click.Group = import_module("incident.commands").incident
            return group.get_command(ctx, cmd_name)
        return None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and args[0] not in SHORT_FORMS:
            from difflib import get_close_matches

            close = get_close_matches(args[0], [*COMMANDS, *SHORT_FORMS], 1)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {close[0]!r}?" if close else ""))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # `shopwatch … | head`: who reads has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])
        with formatter.section("Short forms"):
            formatter.write_text(", ".join(SHORT_FORMS) + ": as in `shopwatch incident ...`, e.g. `shopwatch ack 12`")


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from probes.version import __version__

        click.echo(f"shopwatch {__version__}")
        ctx.exit()


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-w", "--workspace", metavar="DIR", help="The workspace. Default: $SHOPWATCH_WORKSPACE, else this folder."
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def shopwatch(workspace: str | None) -> None:
    """Shopwatch keeps watch over an online shop: it walks login, checkout, payment and delivery as a shopper does,
    turns what breaks into incidents, and helps people through them.

    \b
    First five minutes:
      shopwatch demo                 a practice shop, broken and mended before your eyes
      shopwatch init myshop          a workspace to start from
      shopwatch -w myshop check      is every file right?
      shopwatch -w myshop run        start
    """


def main() -> None:
    shopwatch.main(prog_name="shopwatch")


if __name__ == "__main__":
    main()
