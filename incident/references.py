"""What one part of shopwatch.yaml says of another: people, schedules, channels and escalations that must exist."""

from collections.abc import Iterator

from probes.files.mistakes import Loc, Mistake
from probes.files.references import Reference, check_references, names, places
from probes.files.yamlfile import Document

_OWN_ADDRESSES = ("slack", "email")  # of a person, besides the channels


def references(document: Document) -> list[Mistake]:
    """Every name that leads nowhere. Looks at the data of the file, so that it works beside other mistakes."""
    data = document.data
    channels, people = names(data, "channels"), names(data, "people")
    schedules = names(data, "schedules")
    table = [
        Reference(("people", "*", "page_by", "*"), "channel", [*_OWN_ADDRESSES, *channels]),
        Reference(("schedules", "*", "layers", "*", "people", "*"), "person", people),
        Reference(
            ("escalations", "*", "levels", "*", "to", "*"),
            "person, schedule or channel",
            [*people, *schedules, *channels],
        ),
    ]
    table.append(Reference(("maintenance", "*", "services", "*"), "service", names(data, "services")))
    for prefix in _routes(data, ("routes",)):
        table.append(Reference((*prefix, "escalation"), "escalation", names(data, "escalations")))
        table.append(Reference((*prefix, "channels", "*"), "channel", channels))
    return [
        *check_references(document, table),
        *_slack(document),
        *_unreachable(document),
        *_duplicate_sources(document),
    ]


def _routes(data: object, loc: Loc) -> Iterator[Loc]:
    """The place of every route, nested ones too."""
    routes = data.get("routes") if isinstance(data, dict) else None
    for index, route in enumerate(routes if isinstance(routes, list) else []):
        yield (*loc, index)
        yield from _routes(route, (*loc, index, "routes"))


def _unreachable(document: Document) -> Iterator[Mistake]:
    """Routes behind one that takes every alert."""
    for siblings in dict.fromkeys(loc[:-1] for loc in _routes(document.data, ("routes",))):
        everything = False
        for loc, route in places(document.data, (*siblings, "*")):
            if everything:
                problem = "is never reached: the route before it takes every alert"
                yield document.mistake(loc, problem, "move it up", warning=True)
            everything = everything or (isinstance(route, dict) and not route.get("match"))


def _slack(document: Document) -> Iterator[Mistake]:
    if "slack" in document.data:
        return
    channels = document.data.get("channels")
    for name, channel in channels.items() if isinstance(channels, dict) else ():
        if isinstance(channel, dict) and "slack" in channel:
            yield document.mistake(("channels", name, "slack"), 'needs the section "slack" with a bot_token')


def _duplicate_sources(document: Document) -> Iterator[Mistake]:
    intake = document.data.get("intake")
    sources = intake.get("sources") if isinstance(intake, dict) else None
    seen: set[object] = set()
    for index, source in enumerate(sources if isinstance(sources, list) else []):
        name = source.get("name") if isinstance(source, dict) else None
        if isinstance(name, str) and name in seen:
            yield document.mistake(("intake", "sources", index, "name"), f'source "{name}" is there twice')
        seen.add(name)
