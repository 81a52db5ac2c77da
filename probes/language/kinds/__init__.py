"""The kinds of steps that a journey can have. A new kind is one file here, and one line in KINDS and Step each."""

from functools import cached_property
from typing import Self

from pydantic import model_validator

from probes.files.mistakes import Wrong
from probes.language.kinds import check, dns, http, promql, sql, submit, tcp, tls
from probes.language.kinds.base import COMMON, CommonKeys, Kind
from probes.language.templates import Template, compile_template

KINDS: tuple[Kind, ...] = (
    http.KIND,
    submit.KIND,
    check.KIND,
    tcp.KIND,
    tls.KIND,
    dns.KIND,
    sql.KIND,
    promql.KIND,
)

_BY_VERB = {verb: kind for kind in KINDS for verb in kind.verbs}


class Step(
    CommonKeys,
    http.HttpKeys,
    submit.SubmitKeys,
    check.CheckKeys,
    tcp.TcpKeys,
    tls.TlsKeys,
    dns.DnsKeys,
    sql.SqlKeys,
    promql.PromqlKeys,
):
    """One step of a journey. `kind` says which of the keys have a meaning."""

    @model_validator(mode="after")
    def _validate(self) -> Self:
        if self.named is not None and "{%" in self.named.source:
            raise Wrong("the name of a step is a text with {{ … }} in it at most", at=("name",))
        verbs = [verb for verb in _BY_VERB if verb in self.keys_given]
        if not verbs:
            raise Wrong(f"a step needs something to do: one of {', '.join(_BY_VERB)}")
        if len(verbs) > 1:
            raise Wrong(f"a step does one thing: {' and '.join(verbs)} must be steps of their own", at=(verbs[1],))
        self._check_keys(_BY_VERB[verbs[0]])
        self._check_waiting()
        return self

    def _check_keys(self, kind: Kind) -> None:
        for key in sorted(self.keys_given - COMMON - kind.keys - set(kind.verbs)):
            others = [other.name for other in KINDS if key in other.keys]
            problem = f"{key} has no meaning in a {self.verb} step; it belongs to {' and '.join(others)} steps"
            raise Wrong(problem, at=(key,))
        for name, expect in (("expect", self.expect), ("until", self.until)):
            for key in sorted(expect.keys_given - kind.expectations if expect else ()):
                raise Wrong(f"a {self.verb} step has no {key} to expect anything of", at=(name, key))
        for name, save in self.save.items():
            if save.kind not in kind.saves:
                hint = f"save {' or '.join(sorted(kind.saves))}"
                raise Wrong(f"a {self.verb} step has no {save.kind} to save", hint, ("save", name))
        if kind.check is not None:
            kind.check(self)

    def _check_waiting(self) -> None:
        if self.until is not None and self.within is None:
            raise Wrong("until needs within: how long to keep asking", "within: 60s", ("until",))
        for key in ("within", "poll"):
            if key in self.keys_given and self.until is None:
                raise Wrong(f"{key} belongs to until: what is to be waited for?", at=(key,))

    @cached_property
    def keys_given(self) -> frozenset[str]:
        """The keys that the file has, by their names in the file."""
        fields = type(self).model_fields
        return frozenset(fields[name].alias or name for name in self.model_fields_set)

    @cached_property
    def verb(self) -> str:
        """The key that says what the step does: `get`, `submit`, `check`, …"""
        return next(verb for verb in _BY_VERB if verb in self.keys_given)

    @cached_property
    def kind(self) -> str:
        return _BY_VERB[self.verb].name

    @cached_property
    def named(self) -> Template | None:
        """The name that the file gives it, where that is a template. Raises ValueError with a text for the user."""
        return compile_template(self.title) if self.title is not None and "{{" in self.title else None

    @cached_property
    def name(self) -> str:
        """What its records are kept under; a template in it is rendered once the run has ended."""
        return self.title or _BY_VERB[self.verb].name_of(self)[:200]

    @cached_property
    def method(self) -> str:
        """Of an http step: GET, POST, …"""
        return self.verb.upper()

    @cached_property
    def url(self) -> Template:
        """Of an http step: absolute, or relative to the journey's `base`."""
        url = getattr(self, self.verb)
        assert isinstance(url, Template), f"a {self.verb} step has no url"
        return url
