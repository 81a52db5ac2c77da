"""`get`, `post`, `put`, `patch`, `delete`, `head`: one request, sent as written."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from probes.http.url import Url
from probes.language.kinds import Step
from probes.language.templates import Tree
from probes.language.values import dump_json, to_text
from probes.result import Reason
from probes.running.answer import Answer
from probes.running.failure import Failed
from probes.running.run import Run
from probes.running.session import Outgoing

FORM = "application/x-www-form-urlencoded"


async def perform(step: Step, run: Run, deadline: float) -> Answer:
    url = run.url(run.text(step.url))
    if step.query:
        url = with_query(url, urlencode(list(pairs(step.query, run))))
    if not run.session.allows(url):
        reason = Reason.CONFIG if step.url.constant else Reason.HEADER
        raise run.session.refuse(url, "a URL", reason)
    content_type, body = _body(step, run)
    headers = [(name, run.text(value)) for name, value in step.headers.items()]
    return await run.send(step, Outgoing(step.method, url, headers, body, content_type), deadline)


def _body(step: Step, run: Run) -> tuple[str | None, bytes]:
    if step.form is not None:
        return FORM, urlencode(list(pairs(step.form, run))).encode("ascii")
    if step.json_ is not None:
        try:
            return "application/json", dump_json(run.render(step.json_)).encode()
        except ValueError as error:
            raise Failed(Reason.CONFIG, "a value that JSON can hold", str(error)) from None
    if step.body is not None:
        return None, run.text(step.body).encode("utf-8", "replace")
    return None, b""


def pairs(fields: Mapping[str, Tree], run: Run) -> Iterator[tuple[str, str]]:
    """The fields of a query or a form as text: a list is a field that comes several times, null one left out."""
    for name, tree in fields.items():
        value: Any = run.render(tree)
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                yield name, to_text(item)


def with_query(url: Url, query: str) -> Url:
    """`query` (encoded) after what the URL has already."""
    given = url.query
    whole = given + b"&" + query.encode() if given and query else given or query.encode()
    return Url(url.copy_with(query=whole or None))
