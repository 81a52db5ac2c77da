"""When the configuration was last read well, and what was wrong with it the last time it was tried."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Loaded:
    """`at`: of the one in use. `problem`: why a later one was refused, a line for each mistake; empty if none was."""

    at: datetime
    problem: str = ""

    @property
    def text(self) -> str:
        """For whoever asks whether all is well."""
        if not self.problem:
            return ""
        since = self.at.isoformat(timespec="seconds")
        return f"The configuration was refused when it was last read; that of {since} runs on.\n{self.problem}\n"
