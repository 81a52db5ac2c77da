"""What `check` warns about in a journey that would ask a host it may not talk to: the step could only ever fail."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from probes.files.mistakes import Wrong
from probes.language.journey import Journey
from probes.language.kinds import Step

if TYPE_CHECKING:
    from probes.http.url import Host


def out_of_reach(journey: Journey) -> Iterator[Wrong]:
    """Addresses that are spelled out in the file and that the run, by the same rule, would not ask."""
    if not any("//" in step.url.source for step in (*journey.steps, *journey.cleanup) if _is_spelled_out(step)):
        return  # every one is at the journey's own host
    from probes.http.hosts import parse_host, parse_url  # takes a while to import

    try:
        own = None if journey.base is None else parse_url(journey.base).at
        hosts = [parse_host(host) for host in journey.hosts]
    except ValueError:
        return  # the run says so
    for list_name, steps in (("steps", journey.steps), ("cleanup", journey.cleanup)):  # each in a session of its own
        yield from _of(steps, list_name, journey.base, own, hosts)


def _of(
    steps: Sequence[Step], list_name: str, base: str | None, own: "Host | None", hosts: Sequence["Host"]
) -> Iterator[Wrong]:
    """Without a `base`, the first address that is asked is the journey's own host, where the file tells which."""
    from probes.http.hosts import address, in_reach, shown

    for index, step in enumerate(steps):
        if step.kind != "http":
            continue
        try:
            host = address(base, step.url.source).at if _is_spelled_out(step) else None
        except ValueError:
            host = None
        if own is None and (host is None or step.when is not None):
            return  # only the run knows who is asked first
        own = own or host
        if host is not None and not in_reach(host, own, hosts):
            yield Wrong(*_said(host, own, shown(host)), (list_name, index, step.verb))


def _is_spelled_out(step: Step) -> bool:
    return step.kind == "http" and step.url.constant


def _said(host: "Host", own: "Host | None", entry: str) -> tuple[str, str]:
    name = f"{host.name} port {host.port}" if own is not None and own.name == host.name else entry
    quoted = f'"{entry}"' if ":" in entry else entry
    return f"a run may not talk to {name}", f"say hosts: [{quoted}] at the journey"
