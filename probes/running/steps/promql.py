"""`promql`: one instant query to a Prometheus, whose answer is to be one value."""

from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpx

from probes.http.hosts import parse_url
from probes.http.url import Url
from probes.language.kinds import Step
from probes.language.values import describe, to_number
from probes.result import Reason
from probes.running.answer import Answer
from probes.running.failure import Failed
from probes.running.measured import Measured
from probes.running.run import Run
from probes.running.session import Outgoing
from probes.running.targets import check_allowed

_WANTED = "one value from Prometheus"


async def perform(step: Step, run: Run, deadline: float) -> Measured:
    assert step.promql is not None and step.address is not None
    given = run.text(step.address)
    try:
        url, authorization = _query_url(given, run.text(step.promql))
    except ValueError as error:
        raise Failed(Reason.CONFIG, "the address of a Prometheus", str(error)) from None
    check_allowed(step.address, run, url.host, url.port)
    headers = [*authorization, *((name, run.text(value)) for name, value in step.headers.items())]
    answer = await run.session.exchange(Outgoing("GET", url, headers), deadline)
    return Measured(read(answer))


def _query_url(address: str, query: str) -> tuple[Url, list[tuple[str, str]]]:
    """Where to ask, and the header for a name and a password in the address. Raises ValueError."""
    parts = urlsplit(address.strip())
    path = parts.path.rstrip("/") + "/api/v1/query"
    authorization = []
    if parts.username:
        token = httpx.BasicAuth(parts.username, parts.password or "")._auth_header
        authorization.append(("Authorization", token))
    host = parts.netloc.rpartition("@")[2]
    return parse_url(urlunsplit((parts.scheme, host, path, urlencode({"query": query}), ""))), authorization


def read(answer: Answer) -> Any:
    """The value, a decimal (NaN and the infinities as text). Raises Failed."""
    document = _document(answer)
    if answer.status in (401, 403):
        raise Failed(Reason.AUTH, _WANTED, f"{answer.status} with {answer.shown}", answer.status)
    if document is None or document.get("status") != "success":
        error = None if document is None else document.get("error")
        seen = f"{document.get('errorType', 'error')}: {error}" if document and error else answer.shown
        bad = document is not None and document.get("errorType") == "bad_data"
        raise Failed(Reason.CONFIG if bad else Reason.STATUS, _WANTED, f"{answer.status}: {seen}", answer.status)
    data = document.get("data")
    kind, result = (data.get("resultType"), data.get("result")) if isinstance(data, dict) else (None, None)
    if kind in ("scalar", "string") and isinstance(result, list):
        return _value(result, answer)
    if kind != "vector" or not isinstance(result, list):
        raise Failed(Reason.VALUE, "an instant vector or a scalar", f"a {describe(kind)}: {answer.shown}")
    if not result:
        raise Failed(Reason.VALUE, _WANTED, "no data: no series matches the query at this moment")
    if len(result) > 1:
        names = ", ".join(describe(series.get("metric")) for series in result[:3] if isinstance(series, dict))
        hint = "use sum(), max() or a narrower selector"
        raise Failed(Reason.VALUE, _WANTED, f"{len(result)} series ({hint}): {names}{', …' * (len(result) > 3)}")
    return _value(result[0].get("value") if isinstance(result[0], dict) else None, answer)


def _document(answer: Answer) -> dict[str, Any] | None:
    """Prometheus' own errors are JSON, whatever their status; None where somebody else answered."""
    try:
        document = answer.document
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _value(sample: Any, answer: Answer) -> Any:
    if not isinstance(sample, list) or len(sample) != 2 or not isinstance(sample[1], str):
        raise Failed(Reason.JSON, "a sample of Prometheus", answer.shown, answer.status)
    number = to_number(sample[1])
    return sample[1] if number is None else number
