"""Whether an answer is what a step expects: the first expectation that fails names the reason."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from probes.language.expect import Expect
from probes.language.matchers import Matcher
from probes.language.paths import find
from probes.language.values import MISSING
from probes.pages.markup import HostilePage
from probes.pages.page import text_of
from probes.result import Reason
from probes.running.answer import Answer, WrongEncoding
from probes.running.failure import Failed

_REFUSED = (401, 403)


@dataclass(frozen=True, slots=True)
class Judge:
    """Looks at one answer. `values` is what templates in matchers see."""

    answer: Answer
    values: Mapping[str, Any]
    now: datetime

    def judge(self, expect: Expect | None, *, any_status: bool = False) -> None:
        """In the order status, header, cookie, body, json, html. Raises Failed and TemplateFailed.

        `any_status`: where `expect` names no status, any will do, because another part of the step judges it.
        """
        status = expect.status if expect is not None else None
        if status is not None or not any_status:
            self._status(status)
        if expect is not None:
            self._rest(expect)

    def _status(self, matcher: Matcher | None) -> None:
        """Without a matcher, 200 to 399 passes. A 401 or 403 that fails is `auth`."""
        status = self.answer.status
        if matcher is None:
            expected = None if 200 <= status < 400 else "status 200 to 399"
        else:
            mismatch = matcher.judge(status, 1, self.values, self.now)
            expected = None if mismatch is None else f"status {mismatch.expected}"
        if expected is not None:
            reason = Reason.AUTH if status in _REFUSED else Reason.STATUS
            raise Failed(reason, expected, _status_and_body(self.answer), status=status)

    def _rest(self, expect: Expect) -> None:
        answer = self.answer
        for name, matcher in expect.header.items():
            self._look(Reason.HEADER, f"header {name}", matcher, answer.headers.get_list(name))
        for name, matcher in expect.cookie.items():
            cookie = answer.cookies.get(name)
            self._look(Reason.COOKIE, f"cookie {name}", matcher, [] if cookie is None else [cookie])
        if expect.body is not None:
            self._body(expect.body)
        for path, matcher in expect.json_.items():
            self._look(Reason.JSON, f"json {path}", matcher, find_json(path, answer))
        for selector, matcher in expect.html.items():
            nodes = select(answer, selector)
            self._look(Reason.HTML, f"html {selector}", matcher, [text_of(node) for node in nodes[:1]], len(nodes))

    def _body(self, matcher: Matcher) -> None:
        text = read(Reason.BODY, lambda: self.answer.text, self.answer)
        try:
            self._match(Reason.BODY, "body", matcher, [text])
        except Failed as failure:
            failure.seen = self.answer.shown if self.answer.is_page or self.answer.is_redirect else failure.seen
            raise

    def _look(
        self, reason: Reason, what: str, matcher: Matcher, found: Sequence[Any], count: int | None = None
    ) -> None:
        """Where something is missing, what came instead tells why; where something else is there, the page's words."""
        try:
            self._match(reason, what, matcher, found, count)
        except Failed as failure:
            where = " in" if reason in (Reason.JSON, Reason.HTML) else ", with"
            if not found and self.answer.is_there:
                failure.seen += f"{where} {self.answer.shown}"
            elif found and reason is Reason.HTML:
                says = [text for text in self.answer.complaints if text[1:-1] not in failure.seen]
                failure.seen += f"; the page says {' and '.join(says)}" if says else ""
            raise

    def _match(
        self, reason: Reason, what: str, matcher: Matcher, found: Sequence[Any], count: int | None = None
    ) -> None:
        count = len(found) if count is None else count
        mismatch = matcher.judge(found[0] if found else MISSING, count, self.values, self.now)
        if mismatch is not None:
            raise Failed(reason, f"{what} {mismatch.expected}", mismatch.seen, status=self.answer.status)


def read(reason: Reason, look: Callable[[], Any], answer: Answer) -> Any:
    try:
        return look()
    except WrongEncoding as error:
        raise Failed(Reason.BODY, f"a body in {answer.charset or 'utf-8'}", f"{error}, in {answer.shown}") from None
    except ValueError as error:
        seen = f"{error}: {answer.content_type or 'no Content-Type'} with {answer.shown}"
        raise Failed(reason, "a JSON document", seen) from None


def _status_and_body(answer: Answer) -> str:
    return " ".join(_parts(answer))


def _parts(answer: Answer) -> Iterator[str]:
    yield str(answer.status)
    if wait := answer.headers.get("retry-after"):
        yield f"with Retry-After: {wait}"
    if answer.is_redirect:
        yield f"with Location: {answer.headers['location']}"
    elif answer.content:
        yield f"with {answer.shown}"


def select(answer: Answer, selector: str) -> Sequence[Any]:
    """The elements of the page. Raises Failed for a page that is made to be slow."""
    try:
        return answer.page.select(selector)
    except HostilePage as error:
        raise Failed(Reason.HTML, "a page that can be read", str(error), answer.status) from None


def find_json(path: str, answer: Answer) -> list[Any]:
    """The values at a path of the JSON document. Raises Failed where there is none, or the path looks too far."""
    document = read(Reason.JSON, lambda: answer.document, answer)
    try:
        return find(path, document)
    except ValueError as error:
        raise Failed(Reason.JSON, f"json {path} in a document of reasonable size", str(error), answer.status) from None
