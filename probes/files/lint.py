"""What is allowed in a file and still deserves a warning: secrets written down, certificates that nobody checks, files
that are not there (`check` may run on another machine than the prober, which has them).
"""

import re
from collections.abc import Iterator
from typing import Any

from probes.files.mistakes import Loc, Mistake
from probes.files.references import items
from probes.files.yamlfile import Document

_SECRET_KEY = re.compile(
    r"(^|[^a-z])(pass(word|wd|phrase)?|pwd|secret|token|api[-_]?key|hmac|authorization|credential)s?$", re.I
)
_SECRET_VALUE = re.compile(
    r"xox[abeprs]-[\w-]{8,}|xapp-[\w-]{8,}|gh[pousr]_\w{20,}|[sr]k_(live|test)_\w{8,}|AKIA[A-Z0-9]{12,}|AIza[\w-]{30,}"
    r"|glpat-[\w-]{15,}|-----BEGIN [A-Z ]*PRIVATE KEY-----|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.|://[^/\s:@{$]+:[^/\s@{$]{3,}@"
)
_EXPECTATIONS = {"expect", "until", "save", "match", "matches", "proves"}  # name things, hold none

_FILES = {("tls", "ca"), ("tls", "cert"), ("tls", "key")}


def lint(document: Document) -> Iterator[Mistake]:
    """The warnings about one document, read as it is in the file."""
    data = document.raw if document.raw is not None else document.data
    for loc, value in _scalars(data, ()):
        if isinstance(value, str) and _is_secret(loc, value):
            name = re.sub(r"\W+", "_", str(loc[-1]) if isinstance(loc[-1], str) else "secret").strip("_").upper()
            hint = f"take it from the environment: ${{{name}}}"
            yield document.mistake(loc, "looks like a secret written into the file", hint, warning=True)
        elif loc[-2:] == ("tls", "verify") and value is False:
            problem = "the shop's certificate is not checked: anybody on the way can read and change what is sent"
            hint = "name the shop's own authority instead: tls: {ca: ca.pem}"
            yield document.mistake(loc, problem, hint, warning=True)
        elif loc in _FILES and isinstance(value, str) and _is_missing(document, value):
            yield document.mistake(loc, f'there is no file "{value}" beside this one', warning=True)


def _is_missing(document: Document, name: str) -> bool:
    return "${" not in name and not (document.path.parent / name).is_file()


def _scalars(data: Any, loc: Loc) -> Iterator[tuple[Loc, Any]]:
    if isinstance(data, dict | list):
        for key, value in items(data):
            if not (key in _EXPECTATIONS and isinstance(data, dict)):
                yield from _scalars(value, (*loc, key))
    else:
        yield loc, data


def _is_secret(loc: Loc, value: str) -> bool:
    if "${" in value or "{{" in value:
        return False
    key = loc[-1] if loc and isinstance(loc[-1], str) else ""
    return bool(_SECRET_VALUE.search(value) or (len(value) >= 3 and _SECRET_KEY.search(key)))
