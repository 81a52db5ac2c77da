"""The errors of this package. The text of each is written for the user who will read it."""

from collections.abc import Sequence


class IncidentError(Exception):
    """Base of every error raised on purpose in `incident`. `permanent`: trying the same again cannot help."""

    permanent: bool = True


class NotFound(IncidentError):
    """There is no such incident, drill or token."""


class NotAllowed(IncidentError):
    """The actor's role does not permit this."""


class Refused(IncidentError):
    """The request makes no sense as it is, or not in the present state; the text says what would."""


class Conflict(IncidentError):
    """Somebody else changed it meanwhile. Look again, then repeat.

    `stated`: the actor had said what they had seen, so that deciding anew on their behalf would be wrong.
    """

    permanent = False

    def __init__(self, text: str, stated: bool = False) -> None:
        super().__init__(text)
        self.stated = stated


class StoreFull(IncidentError):
    """The disk of the database has no room. What was accepted before is safe; this was not accepted."""

    permanent = False


class StoreUnavailable(IncidentError):
    """The database does not answer, or another process holds it."""

    permanent = False


class ChannelMisconfigured(IncidentError):
    """A channel of shopwatch.yaml that could never deliver: said at start, not when it is needed."""


class PartlyRefused(Refused):
    """Some of a batch could not be accepted; the rest is stored. `problems` has a line for each that was not."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
