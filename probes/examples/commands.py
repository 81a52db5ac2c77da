"""`shopwatch probe example`: the shipped journeys that watch the business."""

from difflib import get_close_matches

import click

from probes.terminal import REFUSED, emit_json, fail, json_option, table


@click.command()
@click.argument("name", required=False)
@json_option
def example(name: str | None, as_json: bool) -> None:
    """Journeys that watch the business: list those that are shipped, or print one to start from.

    They look for late orders, payments without an order, stock below zero and the like; docs/business.md says what each
    of them finds, and which tables it reads.

    \b
    Example:
      shopwatch probe example
      shopwatch probe example payments > probes/payments.yaml
    """
    from probes.examples import examples

    found = {one.name: one for one in examples()}
    if name is not None and name not in found:
        close = get_close_matches(name, found, 1)
        known = f" Did you mean {close[0]}?" if close else " `shopwatch probe example` lists those there are."
        fail(f"There is no example {name!r}.{known}", REFUSED)
    chosen = list(found.values()) if name is None else [found[name]]
    if as_json:
        shown = [{"example": one.name, "about": one.about, "text": one.text} for one in chosen]
        emit_json(shown if name is None else shown[0])
    elif name is None:
        table(("EXAMPLE", "WHAT IT WATCHES"), [(one.name, one.about) for one in chosen])
    else:
        click.echo(chosen[0].text, nl=False)
