"""What `check` warns about in a journey that would ask a host it may not talk to: the step could only ever fail."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from probes.files.mistakes import Wrong
from probes.language.journey import Journey


def out_of_reach(journey: Journey) -> Iterator[Wrong]:
    """Addresses that are spelled out in the file, at another host than the base's, and not in `hosts`."""
    if journey.base is None:
        return  # the first address that is asked is the journey's own host
    known = {_name(str(journey.base)), *(_name(str(host)) for host in journey.hosts)}
    for list_name, steps in (("steps", journey.steps), ("cleanup", journey.cleanup)):
        for index, step in enumerate(steps):
            if step.kind != "http" or not step.url.constant:
                continue
            name = _name(step.url.source) if "://" in step.url.source else None
            if name is not None and name not in known:
                hint = f"say hosts: [{name}] at the journey"
                yield Wrong(f"a run may not talk to {name}", hint, (list_name, index, step.verb))


def _name(text: str) -> str | None:
    """The host's name in a URL, or in an entry of `hosts`; None where there is none."""
    try:
        return urlsplit(text if "://" in text else f"//{text}").hostname
    except ValueError:
        return None
