"""What the steps read that ask no web server: one value, what else is seen of it, and whether it is as wanted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from probes.duration import format_duration
from probes.language.expect import Expect
from probes.language.kinds import Step
from probes.language.matchers import Matcher
from probes.language.saving import Save
from probes.language.values import MISSING
from probes.regex import compile_regex
from probes.result import Reason
from probes.running.failure import Failed
from probes.running.run import Run


@dataclass(slots=True)
class Measured:
    """`value` MISSING: there is none. `count`: of how many it is the first. `text`: all of it, for `body`.

    `expires_at` and `protocol` are of a TLS session.
    """

    value: Any = MISSING
    count: int = 1
    text: str | None = None
    expires_at: datetime | None = None
    protocol: str | None = None


def judge(step: Step, run: Run, measured: Measured) -> None:
    """Raises Failed and TemplateFailed. What can be saved is saved, for cleanup, even where it is not as expected."""
    try:
        for expect in (step.expect, step.until):
            if expect is not None:
                _judge(expect, run, measured)
    finally:
        missing = _save(step, run, measured)
    if missing is not None:
        raise missing


def _judge(expect: Expect, run: Run, measured: Measured) -> None:
    if expect.body is not None:
        text = MISSING if measured.text is None else measured.text
        _match(Reason.BODY, "body", expect.body, run, (text, 1))
    if expect.protocol is not None:
        _match(Reason.TLS, "protocol", expect.protocol, run, (measured.protocol, 1))
    if expect.value is not None:
        _match(Reason.VALUE, "value", expect.value, run, (measured.value, measured.count))
    if expect.expires_in is not None and measured.expires_at is not None:
        left = (measured.expires_at - run.context.now()).total_seconds()
        if broken := expect.expires_in.broken(left):
            raise Failed(Reason.TLS, f"a certificate that expires in {broken}", expiry_text(measured.expires_at, left))


def _match(reason: Reason, what: str, matcher: Matcher, run: Run, found: tuple[Any, int]) -> None:
    """`found`: the first value, and how many there are."""
    value, count = found
    mismatch = matcher.judge(value, 0 if value is MISSING else count, run.values, run.context.now())
    if mismatch is not None:
        raise Failed(reason, f"{what} {mismatch.expected}", mismatch.seen)


def expiry_text(expires_at: datetime, left: float) -> str:
    """`left`: seconds until then, negative where it is past."""
    hour = 3600
    size = round(abs(left) / hour) * hour if abs(left) > hour else round(abs(left))
    ago = f"{format_duration(size)} ago" if left < 0 else f"in {format_duration(size)}"
    return f"it expires at {expires_at:%Y-%m-%d %H:%M} UTC, {ago}"


def _save(step: Step, run: Run, measured: Measured) -> Failed | None:
    missing: Failed | None = None
    for name, save in step.save.items():
        found = _find(save, measured)
        if found is not MISSING:
            run.keep(name, save, found)
        elif save.has_default:
            run.keep(name, save, None if save.default is None else run.render(save.default), found=False)
        else:
            reason = Reason.BODY if save.regex is not None else Reason.VALUE
            missing = missing or Failed(reason, f"{save.kind}, to save as {name}", "nothing")
    return missing


def _find(save: Save, measured: Measured) -> Any:
    if save.regex is None:
        return measured.value
    found = compile_regex(save.regex).search(measured.text or "")
    return MISSING if found is None or found.group(1) is None else found.group(1)
