"""`promql`: an instant query to a Prometheus. The value of its one series is `value`."""

from typing import TYPE_CHECKING

from probes.files.mistakes import Wrong
from probes.language.keys import Keys
from probes.language.kinds.base import READING_KEYS, Kind
from probes.language.templates import TemplateField

if TYPE_CHECKING:
    from probes.language.kinds import Step


class PromqlKeys(Keys):
    """The query; `url` is shared with `sql`, `headers` with the kinds of http."""

    promql: TemplateField | None = None


def name_of(step: "Step") -> str:
    assert step.promql is not None
    return "promql " + " ".join(step.promql.source.split())


def check(step: "Step") -> None:
    """Raises ValueError where there is no Prometheus to ask."""
    if step.address is None:
        raise Wrong("promql needs url: the Prometheus to ask", "url: http://prometheus.example:9090", ("promql",))
    source = step.address.source.strip()
    if step.address.constant and not source.startswith(("http://", "https://")):
        raise Wrong("not the address of a Prometheus: it starts with http:// or https://", at=("url",))


KIND = Kind(
    "promql",
    ("promql",),
    READING_KEYS | {"url", "headers"},
    frozenset({"value", "slower_than"}),
    name_of=name_of,
    saves=frozenset({"value"}),
    check=check,
)
