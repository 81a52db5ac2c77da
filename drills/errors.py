"""The errors of this package. The text of each is written for the user who will read it."""


class DrillsError(Exception):
    """Base of every error raised on purpose in `drills`. `permanent`: whether trying the same again cannot help."""

    permanent: bool = True


class Refused(DrillsError):
    """The drill may not run now, or not here; the text says why."""
