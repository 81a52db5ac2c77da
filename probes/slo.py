"""What was promised of a journey or a service, as people write it: `slo: 99.9%` of the runs are not down."""

from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema


def parse_slo(value: object) -> float:
    """`99.9%` -> 0.999. Raises ValueError with a text for the user; 0.999 could mean either, so the sign is needed."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            percent = Decimal(value.strip()[:-1].strip())
        except InvalidOperation:
            percent = Decimal(0)
        if percent.is_finite() and 50 <= percent < 100:
            return float(percent / 100)
    raise ValueError(f"{value!r} is not an objective: write a percentage from 50% to under 100%, such as 99.9%")


def format_slo(part: float) -> str:
    return f"{round(part * 100, 6):g}%"


Slo = Annotated[
    float,
    BeforeValidator(parse_slo),
    PlainSerializer(format_slo),
    WithJsonSchema({"type": "string", "pattern": r"^\d{2}(\.\d+)?\s*%$", "examples": ["99.9%"]}),
]
"""A pydantic field: text such as `99.9%` in the file, a part of one (float) in the model."""
