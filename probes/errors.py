"""The errors of this package. The text of each is written for the user who will read it."""


class ProbesError(Exception):
    """Base of every error raised on purpose in `probes`.

    `permanent` says whether trying the same again can help: a malformed file will not mend itself,
    a daemon that does not answer may.
    """

    permanent: bool = True
