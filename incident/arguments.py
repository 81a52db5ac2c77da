"""Arguments that commands on incidents share, as people type them."""

from datetime import datetime

import click


def number(text: str) -> int:
    """The number of an incident: `12` or `#12`."""
    digits = text.removeprefix("#")
    if not digits.isdecimal() or not 0 < int(digits) < 2**31:
        raise click.BadParameter(f"{text!r} is not the number of an incident: write 12 or #12")
    return int(digits)


def when(text: str) -> str:
    """An instant as people type it, as ISO 8601."""
    from incident.when import parse_when

    try:
        return parse_when(text, datetime.now().astimezone()).isoformat()
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(str(error)) from None


number_argument = click.argument("number", metavar="N", type=number)
text_argument = click.argument("words", metavar="TEXT", nargs=-1, required=True)
why_argument = click.argument("words", metavar="[TEXT]", nargs=-1)
