"""`shopwatch token`."""

from urllib.parse import quote

import click

from incident.screen import Shopwatch, table_or, talking
from probes.terminal import clean, emit_json, local_time

ROLES = ("viewer", "responder", "commander", "admin", "source")


@click.group()
def token() -> None:
    """Let people and alert sources in. A token is shown once, when it is made, and kept as a hash.

    \b
    Example:
      shopwatch token create lead --role commander
    """


@token.command("create")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    help="`source` is for systems that send alerts. Default: the role of the person of this name in shopwatch.yaml.",
)
@talking
def token_create(name: str, role: str | None, url: str | None, as_json: bool) -> None:
    """Make a token.

    \b
    Example:
      shopwatch token create lead
      shopwatch token create prometheus --role source
    """
    made = Shopwatch(url).call("POST", "/api/v1/tokens", {"name": name, **({"role": role} if role else {})})
    if as_json:
        emit_json(made)
        return
    click.echo(made["token"])
    click.echo("This is shown only now. Use it as $SHOPWATCH_TOKEN, or as `Authorization: Bearer TOKEN`.", err=True)


@token.command("list")
@talking
def token_list(url: str | None, as_json: bool) -> None:
    """List the tokens, without their secrets.

    \b
    Example:
      shopwatch token list
    """
    tokens = Shopwatch(url).get("/api/v1/tokens")
    if as_json:
        emit_json(tokens)
        return
    rows = [(item["name"], item["role"], local_time(item["created_at"])) for item in tokens]
    table_or(("NAME", "ROLE", "CREATED"), rows, "No tokens.")


@token.command("revoke")
@click.argument("name")
@talking
def token_revoke(name: str, url: str | None, as_json: bool) -> None:
    """Make a token useless, at once.

    \b
    Example:
      shopwatch token revoke lead
    """
    answer = Shopwatch(url).call("DELETE", f"/api/v1/tokens/{quote(name, safe='')}")
    if as_json:
        emit_json(answer)
    else:
        click.echo(f"The token {clean(name)} is revoked.")
