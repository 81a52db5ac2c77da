"""The errors of this package. The text of each is written for the user who will read it."""


class RunbooksError(Exception):
    """Base of every error raised on purpose in `runbooks`. `permanent`: trying the same again cannot help."""

    permanent: bool = True


class NoSuchRunbook(RunbooksError):
    """No runbook of that name, neither in the workspace nor among those that Shopwatch ships."""
