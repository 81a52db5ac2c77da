"""The base of every model of a journey file."""

from pydantic import BaseModel, ConfigDict


class Keys(BaseModel):
    """Unknown keys are mistakes, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
