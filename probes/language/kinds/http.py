"""`get`, `post`, `put`, `patch`, `delete`, `head`: one request, sent as written."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from probes.duration import Duration
from probes.files.mistakes import Wrong
from probes.files.settings import Mutates
from probes.language.checks import HeaderName, Url
from probes.language.expect import Expect
from probes.language.keys import Keys
from probes.language.kinds.base import Kind
from probes.language.saving import Save, SaveName
from probes.language.templates import TemplateField, TreeField

if TYPE_CHECKING:
    from probes.language.kinds import Step

VERBS = ("get", "post", "put", "patch", "delete", "head")
ANSWER_KEYS = frozenset({"headers", "follow", "expect", "save", "until", "within", "poll", "creates", "mutates"})
EXPECTATIONS = frozenset({"status", "header", "cookie", "body", "json", "html", "slower_than"})


class HttpKeys(Keys):
    """The keys of a request and of what is done with its answer."""

    get: Url | None = None
    post: Url | None = None
    put: Url | None = None
    patch: Url | None = None
    delete: Url | None = None
    head: Url | None = None
    query: dict[str, TreeField] = Field(default_factory=dict)
    headers: dict[HeaderName, TemplateField] = Field(default_factory=dict)
    form: dict[str, TreeField] | None = None
    json_: TreeField | None = Field(default=None, alias="json")
    body: TemplateField | None = None
    follow: bool = False
    expect: Expect | None = None
    save: dict[SaveName, Save] = Field(default_factory=dict)
    until: Expect | None = None
    within: Annotated[Duration, Field(gt=0)] | None = None
    poll: Annotated[Duration, Field(gt=0)] = 1.0
    creates: TemplateField | None = None
    mutates: Mutates | None = None


def name_of(step: "Step") -> str:
    return f"{step.verb} {step.url.source}"


def check(step: "Step") -> None:
    """Raises ValueError where keys contradict each other."""
    bodies = [key for key in ("form", "json", "body") if key in step.keys_given]
    if len(bodies) > 1:
        raise Wrong(f"a request has one body: {' and '.join(bodies)} exclude each other", at=(bodies[1],))
    if bodies and (step.verb == "head" or (step.verb == "get" and step.form is not None)):
        raise Wrong(f"{step.verb} sends no {bodies[0]}", "use post, or put the values under query", (bodies[0],))


KIND = Kind("http", VERBS, ANSWER_KEYS | {"query", "form", "json", "body"}, EXPECTATIONS, name_of=name_of, check=check)
