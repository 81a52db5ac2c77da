"""`sql`: one select, asked of the shop's database. The first column of the first row is `value`."""

from typing import TYPE_CHECKING

from pydantic import Field

from probes.files.mistakes import Wrong
from probes.language.keys import Keys
from probes.language.kinds.base import READING_KEYS, Kind
from probes.language.sqltext import SqlField
from probes.language.templates import TemplateField

if TYPE_CHECKING:
    from probes.language.kinds import Step


class SqlKeys(Keys):
    """`url` is a database for `sql`, and a Prometheus for `promql`."""

    sql: SqlField | None = None
    address: TemplateField | None = Field(default=None, alias="url")


def name_of(step: "Step") -> str:
    assert step.sql is not None
    return "sql " + " ".join(step.sql.source.split())


def check(step: "Step") -> None:
    """Raises ValueError where there is no database to ask."""
    if step.address is None:
        raise Wrong("sql needs url: the database to ask", "url: postgresql://reader@db.example/shop", ("sql",))
    source = step.address.source.strip()
    if step.address.constant and not source.startswith(
        ("sqlite:", "sqlite+", "postgresql:", "postgresql+", "postgres:")
    ):
        raise Wrong("not a database that sql can ask", "url: postgresql://… or sqlite:///shop.db", ("url",))


KIND = Kind(
    "sql",
    ("sql",),
    READING_KEYS | {"url"},
    frozenset({"value", "slower_than"}),
    name_of=name_of,
    saves=frozenset({"value"}),
    check=check,
)
