"""`burn_rate:` of shopwatch.yaml."""

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from incident.history.burn import FLOOR
from probes.files.settings import SEVERITIES, Severity, Strict, none_word

SeverityOrNone = Annotated[
    Severity | None,
    BeforeValidator(none_word),
    WithJsonSchema({"type": ["string", "null"], "enum": [*SEVERITIES, "none", None]}),
]


class BurnRate(Strict):
    """Severities of what uses up an error budget too fast; None raises nothing. `at_least`: so many failed runs."""

    fast: SeverityOrNone = "SEV2"
    slow: SeverityOrNone = "SEV3"
    lasting: SeverityOrNone = "SEV4"
    at_least: int = Field(default=FLOOR, ge=1, le=10_000)
