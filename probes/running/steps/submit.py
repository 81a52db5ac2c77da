"""`submit`: the form on the page last read, filled in and sent as a browser would."""

from probes.http.hosts import parse_url
from probes.http.url import Url
from probes.language.kinds import Step
from probes.pages.forms import Submission
from probes.result import Reason
from probes.running.answer import Answer
from probes.running.failure import Failed
from probes.running.reading.looking import fill
from probes.running.run import Run
from probes.running.session import Outgoing


async def perform(step: Step, run: Run, deadline: float) -> Answer:
    assert step.submit is not None
    if run.page is None:
        raise Failed(Reason.HTML, f"the form {step.submit}", "no HTML page was read before this step")
    fields = {name: run.render(tree) for name, tree in step.fields.items()}
    submission = await fill(step, fields, run.page, run, deadline)
    try:
        url = parse_url(submission.url)
    except ValueError as error:
        raise Failed(Reason.HTML, f"the form {step.submit} with an action on the web", str(error)) from None
    if not run.session.allows(url):
        raise run.session.refuse(url, f"the form {step.submit} leading to a host")
    headers = [
        *_browser_headers(submission, run.page.url, url),
        *((name, run.text(value)) for name, value in step.headers.items()),
    ]
    outgoing = Outgoing(submission.method, url, headers, submission.body or b"", submission.content_type)
    return await run.send(step, outgoing, deadline)


def _browser_headers(submission: Submission, page: Url, target: Url) -> list[tuple[str, str]]:
    """Origin of what changes something, and Referer by the browsers' default: the whole address only within a site,
    and none at all from https to http."""
    origin = f"{page.scheme}://{page.authority.decode('ascii')}"
    headers = [("Origin", origin)] if submission.method != "GET" else []
    if page.scheme == target.scheme and page.at == target.at:
        headers.append(("Referer", page.text))
    elif not (page.scheme == "https" and target.scheme == "http"):
        headers.append(("Referer", f"{origin}/"))
    return headers
