"""What goes between the prober and its readers: a length, then a pickle.

The prober trusts a reader less than a reader trusts the prober: a page may have found a way into the parser. What
comes back is data and nothing else, of a bounded size.
"""

import io
import pickle
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from probes.errors import ProbesError
from probes.http.headers import Headers
from probes.http.url import Url
from probes.language.templates import TemplateFailed
from probes.pages.forms import Submission
from probes.result import Reason
from probes.running.answer import Answer
from probes.running.failure import Failed
from probes.running.reading.inspection import Inspected

LENGTH = struct.Struct("!I")
MAX_REPLY = 16 << 20
_MAX_TEXT = (64 << 10) + 1  # characters of evidence: it is cut to less than this once secrets are masked


class NotData(ValueError):
    """A reader said what no reader says."""


@dataclass(slots=True)
class Reply:
    """`seconds` of CPU that it took; `last`: the reader ends now, and another must take its place."""

    said: Any
    seconds: float
    last: bool


def frame(data: bytes) -> bytes:
    return LENGTH.pack(len(data)) + data


def pack_answer(answer: Answer) -> tuple[Any, ...]:
    return answer.status, answer.url.text, answer.headers.raw, answer.content, dict(answer.cookies)


def unpack_answer(packed: tuple[Any, ...]) -> Answer:
    status, url, headers, content, cookies = packed
    return Answer(status, Url(url), Headers(headers), content, cookies)


def pack_error(error: ProbesError) -> tuple[Any, ...]:
    if isinstance(error, Failed):
        return str(error.reason), error.expected[:_MAX_TEXT], error.seen[:_MAX_TEXT], error.status
    return (str(error)[:_MAX_TEXT],)


def unpack_error(packed: tuple[Any, ...]) -> ProbesError:
    if len(packed) == 1:
        return TemplateFailed(str(packed[0]))
    reason, expected, seen, status = packed
    return Failed(Reason(reason), str(expected), str(seen), status)


def pack_inspected(inspected: Inspected) -> tuple[Any, ...]:
    failure = None if inspected.failure is None else pack_error(inspected.failure)
    return failure, inspected.found, {name: pack_error(error) for name, error in inspected.lacking.items()}


def unpack_inspected(packed: tuple[Any, ...]) -> Inspected:
    failure, found, lacking = packed
    inspected = Inspected(None if failure is None else unpack_error(failure), dict(found))
    for name, error in lacking.items():
        unpacked = unpack_error(error)
        assert isinstance(unpacked, Failed)
        inspected.lacking[name] = unpacked
    return inspected


def pack_submission(submission: Submission) -> tuple[Any, ...]:
    return submission.method, submission.url, submission.fields, submission.content_type, submission.body


def unpack_submission(packed: tuple[Any, ...]) -> Submission:
    return Submission(*packed)


class _Data(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("decimal", "Decimal"):
            return Decimal
        raise NotData(f"{module}.{name} in a reader's reply")


def load_reply(data: bytes) -> Reply:
    """Raises NotData."""
    try:
        said, seconds, last = _Data(io.BytesIO(data)).load()
        return Reply(said, float(seconds), bool(last))
    except (pickle.UnpicklingError, ValueError, TypeError, EOFError, IndexError, KeyError, AttributeError) as error:
        raise NotData(str(error)) from error
